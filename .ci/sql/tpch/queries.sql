-- The 22 queries of TPC-H with the validation parameters of its specification, written from their descriptions. A line with the
-- name opens each. Rows that the specification leaves in an order of their own are told apart by further columns of ORDER BY.

-- q1
select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price,
  sum(l_extendedprice * (1 - l_discount)) as sum_disc_price, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
  avg(l_quantity) as avg_qty, avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc, count(*) as count_order
from lineitem where l_shipdate <= date '1998-09-02' group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus;

-- q2
select s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
from part join partsupp on ps_partkey = p_partkey join supplier on s_suppkey = ps_suppkey join nation on n_nationkey = s_nationkey join region on r_regionkey = n_regionkey
where p_size = 15 and p_type like '%BRASS' and r_name = 'EUROPE' and ps_supplycost = (
  select min(ps_supplycost) from partsupp join supplier on s_suppkey = ps_suppkey join nation on n_nationkey = s_nationkey join region on r_regionkey = n_regionkey
  where ps_partkey = p_partkey and r_name = 'EUROPE')
order by s_acctbal desc, n_name, s_name, p_partkey limit 100;

-- q3
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
from customer join orders on c_custkey = o_custkey join lineitem on l_orderkey = o_orderkey
where c_mktsegment = 'BUILDING' and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10;

-- q4
select o_orderpriority, count(*) as order_count from orders
where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-10-01'
  and exists (select 1 from lineitem where l_orderkey = o_orderkey and l_commitdate < l_receiptdate)
group by o_orderpriority order by o_orderpriority;

-- q5
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from customer join orders on c_custkey = o_custkey join lineitem on l_orderkey = o_orderkey
  join supplier on l_suppkey = s_suppkey and c_nationkey = s_nationkey join nation on s_nationkey = n_nationkey join region on n_regionkey = r_regionkey
where r_name = 'ASIA' and o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01' group by n_name order by revenue desc;

-- q6
select sum(l_extendedprice * l_discount) as revenue from lineitem
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01' and l_discount between 0.05 and 0.07 and l_quantity < 24;

-- q7
select a.n_name as supp_nation, b.n_name as cust_nation, extract(year from l_shipdate) as l_year, sum(l_extendedprice * (1 - l_discount)) as revenue
from supplier join lineitem on s_suppkey = l_suppkey join orders on o_orderkey = l_orderkey join customer on c_custkey = o_custkey
  join nation a on a.n_nationkey = s_nationkey join nation b on b.n_nationkey = c_nationkey
where (a.n_name = 'FRANCE' and b.n_name = 'GERMANY' or a.n_name = 'GERMANY' and b.n_name = 'FRANCE') and l_shipdate between date '1995-01-01' and date '1996-12-31'
group by 1, 2, 3 order by supp_nation, cust_nation, l_year;

-- q8
select extract(year from o_orderdate) as o_year,
  sum(case when s.n_name = 'BRAZIL' then l_extendedprice * (1 - l_discount) else 0 end) / sum(l_extendedprice * (1 - l_discount)) as mkt_share
from part join lineitem on l_partkey = p_partkey join supplier on s_suppkey = l_suppkey join orders on o_orderkey = l_orderkey
  join customer on c_custkey = o_custkey join nation c on c.n_nationkey = c_nationkey join region on r_regionkey = c.n_regionkey join nation s on s.n_nationkey = s_nationkey
where r_name = 'AMERICA' and o_orderdate between date '1995-01-01' and date '1996-12-31' and p_type = 'ECONOMY ANODIZED STEEL'
group by 1 order by o_year;

-- q9
select n_name, extract(year from o_orderdate) as o_year, sum(l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity) as profit
from part join lineitem on p_partkey = l_partkey join supplier on s_suppkey = l_suppkey
  join partsupp on ps_suppkey = l_suppkey and ps_partkey = l_partkey join orders on o_orderkey = l_orderkey join nation on s_nationkey = n_nationkey
where p_name like '%green%' group by n_name, extract(year from o_orderdate) order by n_name, o_year desc;

-- q10
select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name, c_address, c_phone, c_comment
from customer join orders on c_custkey = o_custkey join lineitem on l_orderkey = o_orderkey join nation on c_nationkey = n_nationkey
where o_orderdate >= date '1993-10-01' and o_orderdate < date '1994-01-01' and l_returnflag = 'R'
group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment order by revenue desc, c_custkey limit 20;

-- q11
select ps_partkey, sum(ps_supplycost * ps_availqty) as value
from partsupp join supplier on ps_suppkey = s_suppkey join nation on s_nationkey = n_nationkey where n_name = 'GERMANY'
group by ps_partkey having sum(ps_supplycost * ps_availqty) > (
  select sum(ps_supplycost * ps_availqty) * 0.0001 from partsupp join supplier on ps_suppkey = s_suppkey join nation on s_nationkey = n_nationkey where n_name = 'GERMANY')
order by value desc, ps_partkey;

-- q12
select l_shipmode, sum(case when o_orderpriority in ('1-URGENT', '2-HIGH') then 1 else 0 end) as high_line_count,
  sum(case when o_orderpriority in ('1-URGENT', '2-HIGH') then 0 else 1 end) as low_line_count
from orders join lineitem on o_orderkey = l_orderkey
where l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate and l_shipdate < l_commitdate
  and l_receiptdate >= date '1994-01-01' and l_receiptdate < date '1995-01-01'
group by l_shipmode order by l_shipmode;

-- q13
select c_count, count(*) as custdist from (
  select c_custkey, count(o_orderkey) as c_count from customer left join orders on c_custkey = o_custkey and o_comment not like '%special%requests%' group by c_custkey) c
group by c_count order by custdist desc, c_count desc;

-- q14
select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end) / sum(l_extendedprice * (1 - l_discount)) as promo_revenue
from lineitem join part on l_partkey = p_partkey where l_shipdate >= date '1995-09-01' and l_shipdate < date '1995-10-01';

-- q15
with revenue as (
  select l_suppkey as supplier_no, sum(l_extendedprice * (1 - l_discount)) as total_revenue from lineitem
  where l_shipdate >= date '1996-01-01' and l_shipdate < date '1996-04-01' group by l_suppkey)
select s_suppkey, s_name, s_address, s_phone, total_revenue from supplier join revenue on s_suppkey = supplier_no
where total_revenue = (select max(total_revenue) from revenue) order by s_suppkey;

-- q16
select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt from partsupp join part on p_partkey = ps_partkey
where p_brand <> 'Brand#45' and p_type not like 'MEDIUM POLISHED%' and p_size in (49, 14, 23, 45, 19, 3, 36, 9)
  and ps_suppkey not in (select s_suppkey from supplier where s_comment like '%Customer%Complaints%')
group by p_brand, p_type, p_size order by supplier_cnt desc, p_brand, p_type, p_size;

-- q17
select sum(l_extendedprice) / 7.0 as avg_yearly from lineitem join part on p_partkey = l_partkey
where p_brand = 'Brand#23' and p_container = 'MED BOX' and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey);

-- q18
select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) as quantity
from customer join orders on c_custkey = o_custkey join lineitem on o_orderkey = l_orderkey
where o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 300)
group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice order by o_totalprice desc, o_orderdate, o_orderkey limit 100;

-- q19
select sum(l_extendedprice * (1 - l_discount)) as revenue from lineitem join part on p_partkey = l_partkey
where l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON' and (
  p_brand = 'Brand#12' and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') and l_quantity between 1 and 11 and p_size between 1 and 5
  or p_brand = 'Brand#23' and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') and l_quantity between 10 and 20 and p_size between 1 and 10
  or p_brand = 'Brand#34' and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') and l_quantity between 20 and 30 and p_size between 1 and 15);

-- q20
select s_name, s_address from supplier join nation on s_nationkey = n_nationkey
where n_name = 'CANADA' and s_suppkey in (
  select ps_suppkey from partsupp where ps_partkey in (select p_partkey from part where p_name like 'forest%')
    and ps_availqty > (select 0.5 * sum(l_quantity) from lineitem where l_partkey = ps_partkey and l_suppkey = ps_suppkey
      and l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'))
order by s_name;

-- q21
select s_name, count(*) as numwait from supplier join lineitem l on s_suppkey = l.l_suppkey join orders on o_orderkey = l.l_orderkey join nation on s_nationkey = n_nationkey
where o_orderstatus = 'F' and l.l_receiptdate > l.l_commitdate and n_name = 'SAUDI ARABIA'
  and exists (select 1 from lineitem x where x.l_orderkey = l.l_orderkey and x.l_suppkey <> l.l_suppkey)
  and not exists (select 1 from lineitem y where y.l_orderkey = l.l_orderkey and y.l_suppkey <> l.l_suppkey and y.l_receiptdate > y.l_commitdate)
group by s_name order by numwait desc, s_name limit 100;

-- q22
select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal from (
  select substring(c_phone from 1 for 2) as cntrycode, c_acctbal from customer
  where substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17')
    and c_acctbal > (select avg(c_acctbal) from customer where c_acctbal > 0.00 and substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17'))
    and not exists (select 1 from orders where o_custkey = c_custkey)) c
group by cntrycode order by cntrycode;
