-- sqlcmd -v database=ShoriDB_1: enables change data capture for the database and for dbo.tickets. Needs sysadmin, and a running
-- SQL Server Agent.
USE [$(database)];
GO
IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE name = N'$(database)' AND is_cdc_enabled = 1)
    EXEC sys.sp_cdc_enable_db;
GO
IF NOT EXISTS (SELECT 1 FROM sys.tables WHERE object_id = OBJECT_ID(N'dbo.tickets') AND is_tracked_by_cdc = 1)
    EXEC sys.sp_cdc_enable_table
        @source_schema = N'dbo',
        @source_name = N'tickets',
        @role_name = NULL,
        @supports_net_changes = 0;
GO
-- The capture job looks every 5 seconds unless it is told otherwise; freshness begins here. A job takes new settings when it starts.
EXEC sys.sp_cdc_change_job @job_type = N'capture', @pollinginterval = 0, @continuous = 1;
BEGIN TRY
    EXEC sys.sp_cdc_stop_job @job_type = N'capture';
    WAITFOR DELAY '00:00:02';
END TRY
BEGIN CATCH
    PRINT CONCAT(N'the capture job did not run yet: ', ERROR_MESSAGE());
END CATCH
BEGIN TRY
    EXEC sys.sp_cdc_start_job @job_type = N'capture';
END TRY
BEGIN CATCH
    PRINT CONCAT(N'the capture job runs already: ', ERROR_MESSAGE());
END CATCH
GO
