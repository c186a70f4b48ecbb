# The Varnish it is compared with: the built-in rules in front of the origin.
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "ORIGIN"; }
