-- sqlcmd -v database=ShoriDB_1: creates the database and its table, where they are not there yet.
IF DB_ID(N'$(database)') IS NULL
    CREATE DATABASE [$(database)];
GO
USE [$(database)];
GO
IF OBJECT_ID(N'dbo.tickets', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.tickets (
        id int IDENTITY(1, 1) NOT NULL CONSTRAINT pk_tickets PRIMARY KEY,
        title nvarchar(200) NOT NULL,
        status nvarchar(20) NOT NULL CONSTRAINT df_tickets_status DEFAULT N'open',
        priority tinyint NOT NULL CONSTRAINT df_tickets_priority DEFAULT 3,
        created_at datetime2(3) NOT NULL CONSTRAINT df_tickets_created DEFAULT SYSUTCDATETIME(),
        updated_at datetime2(3) NOT NULL CONSTRAINT df_tickets_updated DEFAULT SYSUTCDATETIME()
    );
    INSERT INTO dbo.tickets (title, status, priority)
    SELECT TOP (500)
        CONCAT(N'Ticket ', ROW_NUMBER() OVER (ORDER BY (SELECT NULL))),
        CHOOSE(1 + ABS(CHECKSUM(NEWID())) % 3, N'open', N'in progress', N'closed'),
        1 + ABS(CHECKSUM(NEWID())) % 5
    FROM sys.all_objects;
END
GO
