{{ dim_product() }}
