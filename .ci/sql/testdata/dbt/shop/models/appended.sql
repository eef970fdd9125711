{{ config(materialized='incremental', incremental_strategy='append') }}
select id, amount, placed_at from {{ ref('feed') }}
{% if is_incremental() %}where placed_at > (select max(placed_at) from {{ this }}){% endif %}
