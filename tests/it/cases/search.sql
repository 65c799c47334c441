SELECT to_tsvector('english', 'The quick brown foxes jumped over the lazy dogs'), to_tsvector('simple', 'The quick Brown'), to_tsvector('a the'), to_tsvector('english', '');
-- to_tsvector:tsvector | to_tsvector:tsvector | to_tsvector:tsvector | to_tsvector:tsvector
-- 'brown':3 'dog':9 'fox':4 'jump':5 'lazi':8 'quick':2 | 'brown':3 'quick':2 'the':1 |  |

SELECT to_tsvector('english', 'See http://example.com/a/b.html?x=1 or mail joe@example.org, v1.2.3 costs -12.5e3 at /usr/bin/x <b>bold</b> &amp; up-to-date 4th');
-- to_tsvector:tsvector
-- '-12.5e3':10 '/a/b.html?x=1':4 '/usr/bin/x':12 '4th':18 'bold':13 'cost':9 'date':17 'example.com':3 'example.com/a/b.html?x=1':2 'joe@example.org':7 'mail':6 'see':1 'up-to-d':14 'v1.2.3':8

SELECT tokid, token FROM ts_parse('default', 'a-b_c 12.3 www.x.de/y <i>t</i> x@y.com') LIMIT 12;
-- tokid:int4 | token:text
-- 16 | a-b
-- 11 | a
-- 12 | -
-- 11 | b
-- 12 | _
-- 1 | c
-- 12 |
-- 20 | 12.3
-- 12 |
-- 5 | www.x.de/y
-- 6 | www.x.de
-- 18 | /y

SELECT to_tsquery('english', 'fat & (rats | !cats)'), to_tsquery('english', 'super-novae:*AB <-> stars'), to_tsquery('simple', 'The & Dog'), plainto_tsquery('english', 'the fat rats'), phraseto_tsquery('english', 'fat of the rats'), websearch_to_tsquery('english', '"fat rats" or cat -dog');
-- to_tsquery:tsquery | to_tsquery:tsquery | to_tsquery:tsquery | plainto_tsquery:tsquery | phraseto_tsquery:tsquery | websearch_to_tsquery:tsquery
-- 'fat' & ( 'rat' | !'cat' ) | 'super-nova':*AB <-> 'super':*AB <-> 'nova':*AB <-> 'star' | 'the' & 'dog' | 'fat' & 'rat' | 'fat' <3> 'rat' | 'fat' <-> 'rat' | 'cat' & !'dog'

SELECT to_tsquery('english', 'the'), to_tsquery('english', 'a & fat'), to_tsquery('english', 'fat <-> the <-> rat');
-- to_tsquery:tsquery | to_tsquery:tsquery | to_tsquery:tsquery
--  | 'fat' | 'fat' <2> 'rat'

SELECT to_tsquery('english', 'fat rat');
-- ERROR 42601 @ syntax error in tsquery: "fat rat"

SELECT to_tsquery('english', 'fat &');
-- ERROR 42601 @ no operand in tsquery: "fat &"

SELECT 'fat:1A cat:3 fat:2B,4'::tsvector, 'it''s:1 "q" \\x:2'::tsvector, $$'a b':2 c$$::tsvector, 'a & b | !c <2> d'::tsquery, '( a | b ) & c:*D'::tsquery;
-- tsvector:tsvector | tsvector:tsvector | tsvector:tsvector | tsquery:tsquery | tsquery:tsquery
-- 'cat':3 'fat':1A,2B,4 | '"q"' '\\\\x':2 'it''s':1 | 'a b':2 'c' | 'a' & 'b' | !'c' <2> 'd' | ( 'a' | 'b' ) & 'c':*D

SELECT 'a:x'::tsvector;
-- ERROR 42601 @8 syntax error in tsvector: "a:x"

SELECT 'a b'::tsquery;
-- ERROR 42601 @8 syntax error in tsquery: "a b"

SELECT to_tsvector('english', 'fat cats ate rats') @@ to_tsquery('english', 'cat & rat'), to_tsvector('english', 'fat cats ate rats') @@ to_tsquery('english', 'fat <-> cat'), to_tsvector('english', 'fat cats ate rats') @@ to_tsquery('english', 'cat <-> fat'), to_tsvector('english', 'fat cats') @@ to_tsquery('english', 'ca:*'), 'fat cats' @@ 'cat', to_tsvector('english', 'a b') @@ to_tsquery('english', '!zzz');
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | f | t | t | t

SELECT 'a:1 b:3'::tsvector @@ 'a <2> b'::tsquery, 'a:1A b:3'::tsvector @@ 'a:B'::tsquery, 'a b'::tsvector @@ 'a <-> b'::tsquery, 'a:1 b:2 c:3'::tsvector @@ 'a <-> (b | x) <-> c'::tsquery, 'a:1 b:2'::tsvector @@ '!x <-> b'::tsquery;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | f | t | t

SELECT ts_rank(v, q), ts_rank_cd(v, q), ts_rank(v, q, 2), ts_rank_cd('{0.1,0.2,0.4,1}', v, q, 4), ts_rank(v, 'fat | zebra'::tsquery) FROM (VALUES ('fat:2,4 cat:3 rat:5A'::tsvector, 'fat & rat'::tsquery)) x(v, q);
-- ts_rank:float4 | ts_rank_cd:float4 | ts_rank:float4 | ts_rank_cd:float4 | ts_rank:float4
-- 0.52478105 | 0.18181819 | 0.13119526 | 0.18181819 | 0.037995443

SELECT setweight('a:1 b:2'::tsvector, 'A'), setweight('a:1 b:2'::tsvector, 'B', '{a}'), strip('a:1A b'::tsvector), length('a:1,2 b:3'::tsvector), 'a:1 b:2'::tsvector || 'a:1 c:2'::tsvector, ts_delete('a:1 b:2'::tsvector, 'a'), ts_filter('a:1A b:2B'::tsvector, '{a}');
-- setweight:tsvector | setweight:tsvector | strip:tsvector | length:int4 | ?column?:tsvector | ts_delete:tsvector | ts_filter:tsvector
-- 'a':1A 'b':2A | 'a':1B 'b':2 | 'a' 'b' | 2 | 'a':1,3 'b':2 'c':4 | 'b':2 | 'a':1A

SELECT tsvector_to_array('b:2 a:1'::tsvector), array_to_tsvector(ARRAY['b', 'a', 'b']), numnode('a & !b'::tsquery), querytree('a & !b'::tsquery), querytree('!b'::tsquery), 'a'::tsquery && 'b'::tsquery, 'a'::tsquery || 'b'::tsquery, !!'a'::tsquery, 'a'::tsquery <-> 'b'::tsquery, tsquery_phrase('a', 'b', 3);
-- tsvector_to_array:_text | array_to_tsvector:tsvector | numnode:int4 | querytree:text | querytree:text | ?column?:tsquery | ?column?:tsquery | ?column?:tsquery | ?column?:tsquery | tsquery_phrase:tsquery
-- {a,b} | 'a' 'b' | 4 | 'a' | T | 'a' & 'b' | 'a' | 'b' | !'a' | 'a' <-> 'b' | 'a' <3> 'b'

SELECT * FROM unnest('a:1A,3 b'::tsvector);
-- lexeme:text | positions:_int2 | weights:_text
-- a | {1,3} | {A,D}
-- b | ∅ | ∅

SELECT v FROM (VALUES ('a:1'::tsvector), ('a'), ('b:1,2'), (''), ('a:2 b:1')) x(v) ORDER BY v;
-- v:tsvector
--
-- 'a'
-- 'a':1
-- 'b':1,2
-- 'a':2 'b':1

SELECT 'a & b'::tsquery @> 'a'::tsquery, 'a'::tsquery <@ 'b & a'::tsquery, 'a:1 b:2'::tsvector = 'b:2 a:1'::tsvector, 'a'::tsquery < 'b'::tsquery, 'a & b'::tsquery > 'b'::tsquery;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t | t

SELECT to_tsvector('english', '{"a": "fat cats", "b": [1, "rats"]}'::jsonb), jsonb_to_tsvector('english', '{"a": "fat", "b": 12, "c": true}', '["numeric", "key"]'), to_tsvector('simple', '{"x": "One", "y": "Two"}'::json);
-- to_tsvector:tsvector | jsonb_to_tsvector:tsvector | to_tsvector:tsvector
-- 'cat':2 'fat':1 'rat':4 | '12':4 'b':2 'c':6 | 'one':1 'two':3

SELECT ts_lexize('english_stem', 'universities'), ts_lexize('english_stem', 'the'), ts_lexize('simple', 'The');
-- ts_lexize:_text | ts_lexize:_text | ts_lexize:_text
-- {univers} | {} | {the}

SELECT to_tsvector('klingon', 'x');
-- ERROR 42704 @20 text search configuration "klingon" does not exist

SELECT 'english'::regconfig, 'pg_catalog.simple'::regconfig, 'english_stem'::regdictionary, to_tsvector('english'::regconfig, 'x');
-- regconfig:regconfig | regconfig:regconfig | regdictionary:regdictionary | to_tsvector:tsvector
-- english | simple | english_stem | 'x':1
