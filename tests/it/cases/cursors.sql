BEGIN;
-- BEGIN

DECLARE c SCROLL CURSOR FOR SELECT i FROM generate_series(1, 10) i;
-- DECLARE CURSOR

FETCH 3 FROM c;
-- i:int4
-- 1
-- 2
-- 3

FETCH PRIOR FROM c;
-- i:int4
-- 2

FETCH RELATIVE 0 FROM c;
-- i:int4
-- 2

FETCH BACKWARD 5 FROM c;
-- i:int4
-- 1

FETCH NEXT FROM c;
-- i:int4
-- 1

FETCH LAST FROM c;
-- i:int4
-- 10

FETCH NEXT FROM c;
-- i:int4

FETCH BACKWARD 2 FROM c;
-- i:int4
-- 10
-- 9

FETCH ABSOLUTE 4 FROM c;
-- i:int4
-- 4

FETCH ABSOLUTE -2 FROM c;
-- i:int4
-- 9

FETCH ABSOLUTE 0 FROM c;
-- i:int4

FETCH ABSOLUTE 99 FROM c;
-- i:int4

FETCH RELATIVE -3 FROM c;
-- i:int4
-- 8

FETCH RELATIVE 2 FROM c;
-- i:int4
-- 10

FETCH FIRST FROM c;
-- i:int4
-- 1

FETCH 0 FROM c;
-- i:int4
-- 1

MOVE 2 FROM c;
-- MOVE 2

MOVE BACKWARD ALL FROM c;
-- MOVE 2

FETCH FORWARD 2 FROM c;
-- i:int4
-- 1
-- 2

MOVE ABSOLUTE 7 FROM c;
-- MOVE 1

FETCH FORWARD ALL FROM c;
-- i:int4
-- 8
-- 9
-- 10

FETCH BACKWARD ALL FROM c;
-- i:int4
-- 10
-- 9
-- 8
-- 7
-- 6
-- 5
-- 4
-- 3
-- 2
-- 1

MOVE FORWARD ALL FROM c;
-- MOVE 10

SELECT name, is_scrollable, is_holdable FROM pg_cursors;
-- name:text | is_scrollable:bool | is_holdable:bool
-- c | t | f

CLOSE c;
-- CLOSE CURSOR

DECLARE n NO SCROLL CURSOR FOR SELECT i FROM generate_series(1, 5) i;
-- DECLARE CURSOR

FETCH 2 FROM n;
-- i:int4
-- 1
-- 2

FETCH RELATIVE 2 FROM n;
-- i:int4
-- 4

FETCH ABSOLUTE 5 FROM n;
-- i:int4
-- 5

FETCH PRIOR FROM n;
-- ERROR 55000 @ cursor can only scan forward
-- HINT Declare it with SCROLL option to enable backward scan.

ROLLBACK;
-- ROLLBACK

LISTEN news;
-- LISTEN

NOTIFY news, 'one';
-- NOTIFY

SELECT pg_notify('news', 'two');
-- pg_notify:void
--

SELECT * FROM pg_listening_channels();
-- pg_listening_channels:text
-- news

SELECT pg_notify('', 'x');
-- ERROR 22023 @ channel name cannot be empty

SELECT pg_notify(NULL, 'x');
-- ERROR 22023 @ channel name cannot be empty

NOTIFY abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz;
-- NOTIFY

BEGIN;
-- BEGIN

LISTEN more;
-- LISTEN

SAVEPOINT s;
-- SAVEPOINT

LISTEN less;
-- LISTEN

ROLLBACK TO s;
-- ROLLBACK

COMMIT;
-- COMMIT

SELECT * FROM pg_listening_channels() ORDER BY 1;
-- pg_listening_channels:text
-- more
-- news

UNLISTEN news;
-- UNLISTEN

UNLISTEN *;
-- UNLISTEN

SELECT count(*) FROM pg_listening_channels();
-- count:int8
-- 0

SELECT pg_notification_queue_usage() < 0.5 AS fine;
-- fine:bool
-- t
