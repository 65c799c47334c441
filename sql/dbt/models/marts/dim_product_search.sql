{{ dim_product_search(ref('dim_product')) }}
