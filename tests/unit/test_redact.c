/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/mem.h"
#include "redact/redact.h"
#include "redact/secrets.h"
#include "unit.h"

static struct redactor *redactor_of(struct redact_rule rule)
{
	struct buf why = {0};
	struct key key = {"0123456789abcdef0123456789abcdef"};
	struct redactor *r = redactor_new(&rule, 1, &key, &why);
	ck_assert_msg(r != NULL, "%s", buf_text(&why));
	buf_fini(&why);
	return r;
}

static void check_message(struct redactor *r, const char *in, const char *want)
{
	struct event ev = {.message = str_of(in)};
	bool changed = redact_event(r, &ev);
	char *got = mem_strndup(ev.message.data, ev.message.len);
	ck_assert_msg(strcmp(got, want) == 0, "\"%s\" became \"%s\", not \"%s\"", in, got, want);
	ck_assert_int_eq(changed, strcmp(in, want) != 0);
	free(got);
}

START_TEST(what_secrets_look_like)
{
	static const struct {
		const char *in, *want;
	} table[] = {
		{"nothing to see here, 12 tokens and a password reset", NULL},
		{"", NULL},
		{"password=hunter2 next", "password=*** next"},
		{"PASSWORD: hunter2", "PASSWORD: ***"},
		{"db_password=hunter2&x=1", "db_password=***&x=1"},
		{"{\"password\":\"hun\\\"ter2\",\"a\":1}", "{\"password\":\"***\",\"a\":1}"},
		{"{\"password\": \"hunter2\"}", "{\"password\": \"***\"}"},
		{"passwd='hunter 2' x", "passwd='***' x"},
		{"pwd=x pwd=y", "pwd=*** pwd=***"},
		{"client_secret=abc, secret=def", "client_secret=***, secret=***"},
		{"postgres://app:hunter2@db/x", "postgres://app:***@db/x"},
		{"GET /x?access_token=abc.def&y=1 HTTP/1.1",
		 "GET /x?access_token=***&y=1 HTTP/1.1"},
		{"api_key=k-1 api-key: k2", "api_key=*** api-key: ***"},
		{"Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"},
		{"< Set-Cookie: sid=1; Path=/\nx: y", "< Set-Cookie: ***\nx: y"},
		{"\"authorization\":\"Bearer abcdefghij\",\"x\":1",
		 "\"authorization\":\"***\",\"x\":1"},
		{"sent Bearer abcdefghij.klm", "sent Bearer ***"},
		{"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl end", "jwt *** end"},
		{"key AKIAIOSFODNN7EXAMPLE end", "key *** end"},
		{"ghp_abcdefghijk1lmnopqrstuvwxyz0123456789", "***"},
		{"glpat-abcdefghijk1lmnopqrst!", "***!"},
		{"xoxb-1234567890-abcdef", "***"},
		{"sk_live_abcdefghijk1lmnop1234", "***"},
		{"card 4111 1111 1111 1111 paid", "card *** paid"},
		{"card 4111-1111-1111-1111", "card ***"},
		{"5500005555555559", "***"},
		{"2024-01-01 12:00:01 4111111111111111", "2024-01-01 12:00:01 ***"},
		{"card 4111111111111111 12/27 123", "card *** 12/27 123"},
		{"qty 1 4111 1111 1111 1111 x", "qty 1 *** x"},
		{"status 200 4111111111111111", "status 200 ***"},
		{"{\\\"password\\\":\\\"hunter2\\\"}", "{\\\"password\\\":***}"},
		{"\"password\":[\"x\", \"y\"], 1", "\"password\":***, 1"},
		{"card 4111 1111 1111 1112 is none", NULL},
		{"at 1795276803561 in 1795276803561936", NULL}, /* times begin with 1 */
		{"id 41111111111111110000000 is too long", NULL},
		{"v1.4111111111111111", NULL},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE "
		 "KEY-----\nafter",
		 "***\nafter"},
		{"-----BEGIN CERTIFICATE-----", NULL},
		{"{\"log\":\"{\\\"password\\\": \\\"x\\\"}\"}",
		 "{\"log\":\"{\\\"password\\\": ***}\"}"},
		{"{\"X-Api-Key\":[\"k1\"],\"a\":1}", "{\"X-Api-Key\":***,\"a\":1}"},
		{"{\"token\":{\"value\":\"v\"},\"a\":1}", "{\"token\":***,\"a\":1}"},
		{"{\"password\":\"hunter2", "{\"password\":***"},
		{"/login?user=a&password%3Dhunter2&x=1", "/login?user=a&password%3D***&x=1"},
		{"GET /events?ticket=st1.0a.0b HTTP/1.1", "GET /events?ticket=*** HTTP/1.1"},
		{"DB_PASS=x MYSQL_PASS: y", "DB_PASS=*** MYSQL_PASS: ***"},
		{"SecretAccessKey=x access_key: y AccountKey=z;",
		 "SecretAccessKey=*** access_key: *** AccountKey=***;"},
		{"PHPSESSID=abc; sig=def", "PHPSESSID=***; sig=***"},
		{"ALTER USER x IDENTIFIED BY 'hunter2'", "ALTER USER x IDENTIFIED BY '***'"},
		{"<Password>x</Password>", "<Password>***</Password>"},
		{"run --password hunter2 --api-key=k", "run --password *** --api-key=***"},
		{"password := \"x\"", "password := \"***\""},
		{"https://u:p/w@h/x", "https://u:***@h/x"},
		{"sk-proj-abcdefghijk1lmnopqrst", "***"},
		{"Basic dXNlcjpwYXNz", "Basic ***"},
		{"login Credentials(password=hunter2, user=bob)",
		 "login Credentials(password=***, user=bob)"},
		{"AWS_SECRET_ACCESS_KEY=/hunter2+abc/def", "AWS_SECRET_ACCESS_KEY=***"},
		{"env HTTP_COOKIE=sid=1 x", "env HTTP_COOKIE=***"},
		{"{\"msg\": \"{\\\"cookie\\\": \\\"sid=1\\\"}\"}",
		 "{\"msg\": \"{\\\"cookie\\\": ***}\"}"},
		{"{\"msg\": \"{\\\"password\\\": \\\"ab\\\\\\\"hunter2\\\", \\\"a\\\": 1}\"}",
		 "{\"msg\": \"{\\\"password\\\": ***, \\\"a\\\": 1}\"}"},
		{"{\"password\": {\"a\": {\"b\": 1}, \"c\": \"hunter2\"}, \"d\": 1}",
		 "{\"password\": ***, \"d\": 1}"},
		{"redis://u:p@ss@host/0", "redis://u:***@host/0"},
		{"Cookie: a=\"b\"; sid=1", "Cookie: ***"},
		{"x=\"1\" cookie=sid \"Mozilla\"", "x=\"1\" cookie=***\"Mozilla\""},
		{"password='it\\'s hunter2' x", "password='***' x"},
		{"q=%7B%22password%22%3A%22hunter2%22%7D", "q=%7B%22password%22%3A***"},
		{"pwd=[a b", "pwd=***"},
		{"{\"password2\": \"hunter2\"}", "{\"password2\": \"***\"}"},
		{"-----END CERTIFICATE----------BEGIN PRIVATE KEY-----",
		 "-----END CERTIFICATE-----***"},
		{"{\"credentials\":{\"aws\":{\"prod\":{\"keys\":{\"id\":\"hunter2\"}}}},\"x\":1}",
		 "{\"credentials\":***,\"x\":1}"},
		{"\"password\":{\"v\":\"abc}def\"}", "\"password\":***"},
		{"passwords: [\"a]b\",[\"c\"]] x", "passwords: *** x"},
		{"{\"cookies\":{\"sid\":\"1\"}}", "{\"cookies\":***}"},
		/* what looks like it, and is none */
		{"accept_cookie=true user=bob", NULL},
		{"cookies: enabled, path=/x", NULL},
		{"http_cookie: off; more", NULL},
		{"sudo: alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/ls", NULL},
		{"pam_unix(passwd:chauthtok): password changed for alice", NULL},
		{"Basic authentication failed", NULL},
		{"Basic Constraints: CA:FALSE", NULL},
		{"Token validation failed, Invalid token received, Unexpected token function",
		 NULL},
		{"Digest algorithm not found, bearer authentication required", NULL},
		{"backup 20251121143007 done, 20260101000000", NULL},
		{"compass: north, bypass=1", NULL},
	};
	struct redactor *r = redactor_of((struct redact_rule){.name = (char[]){"all"}});
	for (size_t i = 0; i < array_size(table); i++)
		check_message(r, table[i].in, table[i].want ? table[i].want : table[i].in);
	redactor_free(r);
}
END_TEST

START_TEST(each_rule_takes_its_own_alone)
{
	const char *text = "password=a token=b Bearer cdefghijk1 4111111111111111";
	static const struct {
		const char *rule, *want;
	} table[] = {
		{"password", "password=*** token=b Bearer cdefghijk1 4111111111111111"},
		{"token", "password=a token=*** Bearer cdefghijk1 4111111111111111"},
		{"bearer", "password=a token=b Bearer *** 4111111111111111"},
		{"cards", "password=a token=b Bearer cdefghijk1 ***"},
	};
	for (size_t i = 0; i < array_size(table); i++) {
		char *name = mem_strdup(table[i].rule);
		struct redactor *r = redactor_of((struct redact_rule){.name = name});
		check_message(r, text, table[i].want);
		redactor_free(r);
		free(name);
	}
}
END_TEST

START_TEST(a_key_that_comes_line_by_line)
{
	static const struct {
		const char *in, *want;
	} lines[] = {
		{"before", "before"},
		{"-----BEGIN PRIVATE KEY-----", "***"},
		{"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA", "*** (private key)"},
		{"started", "started"},
		{"GET / of somebody else, between", "GET / of somebody else, between"},
		{"Proc-Type: 4,ENCRYPTED", "*** (private key)"},
		{"-----END CERTIFICATE-----", "-----END CERTIFICATE-----"}, /* of somebody else */
		{"abcdefghijk1lmnopqrstuvwxyzabcdefghijk1lmnopqrstuvwxyzabcdefghijk1lmnopqrstuvwxyz"
		 "abc"
		 "defghijklmnopqrstuvwxyz"
		 "abcdefghijk1lmnopqrstuvwxyzabcdefghijk1lmnopqrstuvwxyz",
		 "*** (private key)"},
		{"10:00:01 app[7]: GET / of somebody else",
		 "10:00:01 app[7]: GET / of somebody else"},
		{"10:00:01 app[7]: MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
		 "10:00:01 app[7]: ***"},
		{"{\"log\":\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\\n\"}",
		 "{\"log\":\"***\\n\"}"},
		{"10:00:01 app[7]: Fc3x7Ky0tQz9u1", "10:00:01 app[7]: ***"},
		{"10:00:01 app[7]: Fc==", "10:00:01 app[7]: ***"},
		{"abc+/=", "*** (private key)"},
		{"-----END PRIVATE KEY-----", "*** (private key)"},
		{"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw"},
	};
	struct redactor *r = redactor_of((struct redact_rule){.name = (char[]){"pem"}});
	for (size_t i = 0; i < array_size(lines); i++)
		check_message(r, lines[i].in, lines[i].want);
	/* A row of events that is read again is read the same way. */
	check_message(r, lines[1].in, lines[1].want);
	int place = redact_place(r);
	const char *end = "-----END PRIVATE KEY-----";
	for (int again = 0; again < 2; again++) {
		check_message(r, lines[2].in, lines[2].want);
		check_message(r, end, "*** (private key)");
		if (!again)
			redact_go_on_from(r, place);
	}
	ck_assert_int_eq(redact_place(r), 0);
	redactor_free(r);
	/* Another one goes on where this one was. */
	r = redactor_of((struct redact_rule){.name = (char[]){"pem"}});
	redact_go_on_from(r, place);
	check_message(r, lines[2].in, lines[2].want);
	redactor_free(r);
}
END_TEST

START_TEST(a_field_tells_by_its_name)
{
	static const char *const secret[] = {
		"pwd",        "db.password", "DBPassword", "userpassword", "PHPSESSID",
		"signingKey", "shared_key",  "x-api-key",  "AWSSecretKey", "sig"};
	static const char *const open[] = {"PWDX", "token_type", "compass", "design", "max_tokens"};
	struct redactor *r = redactor_of((struct redact_rule){.name = (char[]){"all"}});
	for (size_t i = 0; i < array_size(secret) + array_size(open); i++) {
		bool is_secret = i < array_size(secret);
		const char *name = is_secret ? secret[i] : open[i - array_size(secret)];
		struct buf fields = {0};
		field_put(&fields, &(struct field){.name = str_of(name),
						   .type = FIELD_STRING,
						   .string = STR("hunter2")});
		struct event ev = {.message = STR("x"), .fields = buf_str(&fields)};
		ck_assert_msg(redact_event(r, &ev) == is_secret, "%s", name);
		buf_fini(&fields);
	}
	/* Names that are no words are texts. */
	struct buf fields = {0};
	field_put(&fields, &(struct field){.name = STR("https://u:hunter2@h/?a"),
					   .type = FIELD_STRING,
					   .string = STR("b")});
	struct event ev = {.message = STR("x"), .fields = buf_str(&fields)};
	struct field f;
	ck_assert(redact_event(r, &ev));
	ck_assert_int_eq(field_next(&ev.fields, &f), 1);
	ck_assert(str_is(f.name, "https://u:***@h/?a"));
	buf_fini(&fields);
	redactor_free(r);
}
END_TEST

START_TEST(by_regex_and_with_a_hash)
{
	struct redactor *r = redactor_of((struct redact_rule){.field = (char[]){"message"},
							      .regex = (char[]){"token=[^& ]+"},
							      .with = (char[]){"token=***"}});
	check_message(r, "a token=b&c", "a token=***&c");
	redactor_free(r);
	r = redactor_of((struct redact_rule){.regex = (char[]){"user=(\\w+)"}, .how = REDACT_HASH});
	struct event ev = {.message = STR("user=alice user=bob user=alice")};
	ck_assert(redact_event(r, &ev));
	ck_assert_int_eq(ev.message.len, 3 * (5 + 13) + 2);
	ck_assert(memcmp(ev.message.data, "user=#", 6) == 0);
	ck_assert(memcmp(ev.message.data + 5, ev.message.data + 43, 13) == 0);
	ck_assert(memcmp(ev.message.data + 5, ev.message.data + 24, 13) != 0);
	redactor_free(r);
	r = redactor_of((struct redact_rule){.regex = (char[]){" user=\\w+"}, .how = REDACT_DROP});
	check_message(r, "a user=x b", "a b");
	check_message(r, " user=x", "");
	redactor_free(r);
	/* What never ends lets nothing through. */
	r = redactor_of((struct redact_rule){.regex = (char[]){"(a+)+$"}});
	check_message(r, "secret aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
		      "*** (a redaction rule took too long here)");
	redactor_free(r);
	/* An empty match is none. */
	r = redactor_of((struct redact_rule){.regex = (char[]){"x*"}});
	check_message(r, "a\xc3\xa4xxb", "a\xc3\xa4***b");
	redactor_free(r);
}
END_TEST

static struct str two_fields(struct buf *out, enum field_type type, const char *name,
			     const char *value)
{
	field_put(out,
		  &(struct field){.name = str_of(name), .type = type, .string = str_of(value)});
	field_put(out, &(struct field){.name = STR("n"), .type = FIELD_INT, .integer = 7});
	return buf_str(out);
}

static void check_field(struct redact_rule rule, enum field_type type, const char *name,
			const char *in, const char *want)
{
	struct buf b = {0};
	struct redactor *r = redactor_of(rule);
	struct event ev = {.message = STR("m"), .fields = two_fields(&b, type, name, in)};
	struct field f;
	bool changed = redact_event(r, &ev);
	ck_assert_int_eq(changed, !want || strcmp(in, want) != 0);
	ck_assert_int_eq(field_next(&ev.fields, &f), 1);
	if (want) {
		ck_assert_msg(str_is(f.string, want), "%s: %.*s", name, (int)f.string.len,
			      f.string.data);
		ck_assert_int_eq(field_next(&ev.fields, &f), 1);
	}
	ck_assert(str_is(f.name, "n") && f.integer == 7);
	redactor_free(r);
	buf_fini(&b);
}

START_TEST(a_log_line_that_is_no_utf8)
{
	struct redactor *r = redactor_of((struct redact_rule){.name = (char[]){"all"}});
	struct str got = redact_text(r, STR("cookie: abc\xf0"));
	ck_str_is(got, "cookie: ***");
	got = redact_text(r, STR("x \xff password=a\xe2\x82"));
	ck_assert(memmem(got.data, got.len, "password=***", 12) != NULL);
	redactor_free(r);
}
END_TEST

START_TEST(fields)
{
	struct redact_rule all = {.name = (char[]){"all"}};
	check_field(all, FIELD_STRING, "password", "hunter2", "***");
	check_field(all, FIELD_STRING, "Set-Cookie", "a=b", "***");
	check_field(all, FIELD_STRING, "req.headers.cookie", "a=b", "***");
	check_field(all, FIELD_STRING, "userPassword", "hunter2", "***");
	check_field(all, FIELD_STRING, "db_password", "hunter2", "***");
	check_field(all, FIELD_STRING, "tokenize", "hunter2", "hunter2");
	check_field(all, FIELD_STRING, "url", "/?token=abc", "/?token=***");
	check_field(all, FIELD_STRING, "agent", "curl/8", "curl/8");
	check_field(all, FIELD_JSON, "body", "{\"password\":\"x\",\"n\":[1]}",
		    "{\"password\":\"***\",\"n\":[1]}");
	/* Where no JSON would be left, all of it goes. */
	check_field(all, FIELD_JSON, "body", "{\"password\":12345}", "\"***\"");
	struct redact_rule one = {.field = (char[]){"user"}};
	check_field(one, FIELD_STRING, "user", "alice", "***");
	check_field(one, FIELD_STRING, "users", "alice", "alice");
	one.how = REDACT_DROP;
	check_field(one, FIELD_DOUBLE, "user", "", NULL);
	check_field(one, FIELD_NULL, "user", "", NULL);
	check_field(one, FIELD_STRING, "user", "alice", NULL);
}
END_TEST

START_TEST(names_that_become_the_same_stay_two_fields)
{
	struct redact_rule all = {.name = (char[]){"all"}};
	struct redactor *r = redactor_of(all);
	struct buf encoded = {0};
	struct field f;
	static const char *const names[] = {"password=hunter2 of a", "password=hunter3 of a"};
	for (size_t i = 0; i < array_size(names); i++)
		field_put(&encoded, &(struct field){.name = str_of(names[i]), .type = FIELD_NULL});
	struct event ev = {.message = STR("m"), .fields = buf_str(&encoded)};
	ck_assert(redact_event(r, &ev));
	ck_assert_int_eq(field_next(&ev.fields, &f), 1);
	ck_str_is(f.name, "password=*** of a");
	ck_assert_int_eq(field_next(&ev.fields, &f), 1);
	ck_str_is(f.name, "password=*** of a_2");
	ck_assert_int_eq(field_next(&ev.fields, &f), 0);
	redactor_free(r);
	buf_fini(&encoded);
}
END_TEST

UNIT_MAIN("redact", what_secrets_look_like, each_rule_takes_its_own_alone,
	  a_key_that_comes_line_by_line, a_field_tells_by_its_name, by_regex_and_with_a_hash,
	  a_log_line_that_is_no_utf8, fields, names_that_become_the_same_stay_two_fields)
