*mangle
:PREROUTING
-m rpfilter;=;OK
-m rpfilter --loose --validmark --accept-local --invert;=;OK
-m rpfilter --invert --loose;-m rpfilter --loose --invert;OK
-m rpfilter --validmark;=;OK
-m rpfilter ! --loose;;FAIL
-m rpfilter --bogus;;FAIL
