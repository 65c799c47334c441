-- sqlcmd -v database=ShoriDB_1: about a minute of a help desk's work, in small transactions.
USE [$(database)];
GO
SET NOCOUNT ON;
DECLARE @i int = 0;
WHILE @i < 300
BEGIN
    BEGIN TRANSACTION;
    INSERT INTO dbo.tickets (title, priority) VALUES (CONCAT(N'Ticket of ', SYSUTCDATETIME()), 1 + ABS(CHECKSUM(NEWID())) % 5);
    UPDATE TOP (2) dbo.tickets
    SET status = CHOOSE(1 + ABS(CHECKSUM(NEWID())) % 3, N'open', N'in progress', N'closed'), updated_at = SYSUTCDATETIME()
    WHERE id % 97 = @i % 97;
    COMMIT;
    IF @i % 20 = 0
        DELETE TOP (1) FROM dbo.tickets WHERE status = N'closed';
    SET @i += 1;
    WAITFOR DELAY '00:00:00.200';
END
GO
