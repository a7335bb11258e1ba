# Varnish, in front of the web server that sluice is mounted under.  Save this beside
# your own VCL and write there, before its vcl_recv,
#	include "sluice.vcl";
#
# Without it, Varnish requests gzip even for clients that do not accept it.  It then
# unpacks the stream for them, and passes nothing on before the end.  Each stream takes
# a thread: raise thread_pool_max (varnishd -p).  Keep pipe_timeout (60s) longer than
# sluice's heartbeat (15s).

sub vcl_recv {
	if (req.url ~ "^/logs([/?]|$)") {
		return (pipe);
	}
}
