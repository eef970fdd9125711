{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['id', 'customer']) }}
select id, customer, amount from {{ ref('feed') }}
