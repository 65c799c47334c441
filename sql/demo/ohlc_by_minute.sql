-- Open, high, low, close and volume by minute and stock; of trades of one instant the greater id is the later one.
CREATE MATERIALIZED VIEW gold.ohlc_by_minute AS
SELECT date_trunc('minute', created_at) AS minute,
       stock_name,
       (array_agg(stock_price ORDER BY created_at, trade_id))[1] AS open,
       max(stock_price) AS high,
       min(stock_price) AS low,
       (array_agg(stock_price ORDER BY created_at DESC, trade_id DESC))[1] AS close,
       sum(quantity) AS volume,
       count(*) AS trades
FROM silver.stock_trades
GROUP BY date_trunc('minute', created_at), stock_name
