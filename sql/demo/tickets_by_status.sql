-- Tickets by status and source database.
CREATE MATERIALIZED VIEW gold.tickets_by_status AS
SELECT _source_db AS source_db,
       status,
       count(*) AS tickets,
       count(*) FILTER (WHERE priority = 'urgent') AS urgent,
       max(updated_at) AS last_update
FROM silver.tickets
GROUP BY _source_db, status
