-- Invented orders of the last 60 days: four regions, three orders a day in each.
create table sales (day text not null, region text not null, amount integer not null);
with recursive days(n) as (select 0 union all select n + 1 from days where n < 59)
insert into sales
select date('now', '-' || n || ' days'), region, 20 + (n * 37 + length(region) * 53 + piece * 71) % 180
from days, (select 'north' as region union all select 'south' union all select 'east' union all select 'west'),
     (select 1 as piece union all select 2 union all select 3);
create index sales_by_day on sales (day);
