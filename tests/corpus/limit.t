*filter
:INPUT
-m limit --limit 1/sec;=;OK
-m limit --limit 1/min;=;OK
-m limit --limit 3/hour;=;OK
-m limit --limit 1/day;=;OK
-m limit;-m limit --limit 3/hour;OK
-m limit --limit 120/minute;-m limit --limit 2/sec;OK
-m limit --limit 90/m;-m limit --limit 90/min;OK
-m limit --limit 10;-m limit --limit 10/sec;OK
-m limit --limit 1/second --limit-burst 10;-m limit --limit 1/sec --limit-burst 10;OK
-m limit --limit 1/sec --limit-burst 5;-m limit --limit 1/sec;OK
-m limit --limit 1/sec --limit-burst 0;-m limit --limit 1/sec;OK
-m limit --limit 1/sec --limit-burst 10000;=;OK
-m limit --limit 10000/s;-m limit --limit 10000/sec;OK
-m limit --limit 7/sec;=;OK
-m limit --limit 10001/sec;;FAIL
-m limit --limit 0/sec;;FAIL
-m limit --limit 1/fortnight;;FAIL
-m limit --limit 1/;;FAIL
-m limit --limit x/sec;;FAIL
-m limit --limit 1/sec --limit-burst 10001;;FAIL
-m limit --limit 1/sec --limit 2/sec;;FAIL
! -m limit --limit 1/sec;;FAIL
-m limit ! --limit 1/sec;;FAIL
