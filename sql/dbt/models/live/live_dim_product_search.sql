{{ dim_product_search(ref('live_dim_product')) }}
