{{ config(materialized='table', contract={'enforced': true}) }}
select customer, sum(amount) as amount, count(*) as orders from {{ ref('feed') }} group by customer
