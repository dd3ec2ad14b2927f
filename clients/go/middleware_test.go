package keyward

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// get calls an API that requires this; headers are names and values in turn.
func get(t *testing.T, client *Client, require Require, remote string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	if require.OnError == nil {
		require.OnError = func(_ *http.Request, err error) { t.Error(err) }
	}
	api := client.RequireKey(require)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(FromContext(r.Context()).OwnerID))
	}))
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.RemoteAddr = remote
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, request)
	return recorder
}

const remote = "192.0.2.1:1234"

func with(t *testing.T, key *Key, require Require) *httptest.ResponseRecorder {
	t.Helper()
	return get(t, admin(t), require, remote, "Authorization", "Bearer "+key.Key)
}

func refusedWith(t *testing.T, response *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var problem struct {
		Code   string
		Status int
	}
	if err := json.Unmarshal(response.Body.Bytes(), &problem); err != nil {
		t.Fatal(err, response.Body)
	}
	equal(t, "status", response.Code, status)
	equal(t, "status in the body", problem.Status, status)
	equal(t, "code", problem.Code, code)
	equal(t, "type", response.Header().Get("Content-Type"), "application/problem+json; charset=utf-8")
}

func Test_a_valid_key_is_let_through_and_the_api_learns_whose_it_is(t *testing.T) {
	key := newKey(t, NewKey{Scopes: []string{"orders:read"}})
	require := Require{Scopes: []string{"orders:read"}}
	response := with(t, key, require)
	equal(t, "status", response.Code, 200)
	equal(t, "owner", response.Body.String(), "customer_42")
	equal(t, "X-API-Key", get(t, admin(t), require, remote, "X-API-Key", key.Key).Code, 200)
}

func Test_a_request_without_a_key_gets_401_and_is_told_how_to_send_one(t *testing.T) {
	for _, headers := range [][]string{{}, {"Authorization", "Basic dTpw"}, {"Authorization", "Bearer "}, {"X-API-Key", "Bearer x"}} {
		response := get(t, admin(t), Require{}, remote, headers...)
		refusedWith(t, response, 401, "KEY_MISSING")
		equal(t, "challenge", response.Header().Get("WWW-Authenticate"), `Bearer realm="keyward"`)
	}
}

func Test_an_unknown_key_gets_401(t *testing.T) {
	for _, key := range []string{"unknown", "ak_live_äöü", "ak_\xff\xfe", strings.Repeat("x", 1<<20)} {
		response := get(t, admin(t), Require{}, remote, "X-API-Key", key)
		refusedWith(t, response, 401, "NOT_FOUND")
		equal(t, "challenge", response.Header().Get("WWW-Authenticate"), `Bearer realm="keyward", error="invalid_token"`)
	}
}

func Test_two_different_keys_in_one_header_are_not_let_through(t *testing.T) {
	key := newKey(t, NewKey{})
	response := get(t, admin(t), Require{}, remote, "X-API-Key", key.Key, "X-API-Key", "other")
	refusedWith(t, response, 401, "KEY_AMBIGUOUS")
}

func Test_a_missing_scope_gets_403_and_is_named(t *testing.T) {
	response := with(t, newKey(t, NewKey{Scopes: []string{"orders:write"}}), Require{Scopes: []string{"orders:read"}})
	refusedWith(t, response, 403, "INSUFFICIENT_SCOPE")
	equal(t, "challenge", response.Header().Get("WWW-Authenticate"),
		`Bearer realm="keyward", error="insufficient_scope", scope="orders:read"`)
}

func Test_a_resource_that_the_key_does_not_have_gets_403(t *testing.T) {
	require := Require{Resource: func(*http.Request) string { return "project:alpha" }}
	equal(t, "alpha", with(t, newKey(t, NewKey{Resources: []string{"project:alpha"}}), require).Code, 200)
	refusedWith(t, with(t, newKey(t, NewKey{Resources: []string{"project:beta"}}), require), 403, "RESOURCE_NOT_ALLOWED")
	for _, madeUp := range []string{"", strings.Repeat("x", 257), "project:\x01", "\xff", " ", "a\u202eb"} {
		require := Require{Resource: func(*http.Request) string { return madeUp }}
		refusedWith(t, with(t, newKey(t, NewKey{}), require), 403, "RESOURCE_NOT_ALLOWED")
	}
}

func Test_a_reached_rate_limit_gets_429_with_the_time_to_wait(t *testing.T) {
	key := newKey(t, NewKey{RateLimits: []NewRateLimit{{"per-hour", 1, 3600}}})
	passed := with(t, key, Require{})
	equal(t, "status", passed.Code, 200)
	equal(t, "policy", passed.Header().Get("RateLimit-Policy"), `"per-hour";q=1;w=3600`)
	refused := with(t, key, Require{})
	refusedWith(t, refused, 429, "RATE_LIMITED")
	if wait, _ := strconv.Atoi(refused.Header().Get("Retry-After")); wait <= 3500 || wait > 3900 {
		t.Error("Retry-After", wait)
	}
	if !strings.HasPrefix(refused.Header().Get("RateLimit"), `"per-hour";r=0;t=`) {
		t.Error(refused.Header())
	}
}

func Test_a_cost_above_the_limit_has_no_time_to_wait(t *testing.T) {
	key := newKey(t, NewKey{RateLimits: []NewRateLimit{{"per-hour", 4, 3600}}})
	refused := with(t, key, Require{Cost: Cost(5)})
	refusedWith(t, refused, 429, "RATE_LIMITED")
	equal(t, "Retry-After", refused.Header().Get("Retry-After"), "")
}

func Test_spent_credits_get_429(t *testing.T) {
	key := newKey(t, credits(7))
	equal(t, "first", with(t, key, Require{Cost: Cost(5)}).Code, 200)
	refusedWith(t, with(t, key, Require{Cost: Cost(5)}), 429, "CREDITS_EXHAUSTED")
	equal(t, "remaining", remaining(t, key), 2)
}

func Test_a_key_that_was_revoked_a_moment_ago_gets_401(t *testing.T) {
	key := newKey(t, NewKey{})
	equal(t, "before", with(t, key, Require{}).Code, 200)
	if err := admin(t).RevokeKey(ctx, key.ID, ""); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, with(t, key, Require{}), 401, "REVOKED")
}

func Test_the_holder_of_a_retiring_string_is_told_when_it_ends(t *testing.T) {
	key := newKey(t, NewKey{})
	equal(t, "before", with(t, key, Require{}).Header().Get("Sunset"), "")
	if _, err := admin(t).RotateKey(ctx, key.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	header := with(t, key, Require{}).Header()
	if !strings.HasPrefix(header.Get("Deprecation"), "@") || !strings.HasSuffix(header.Get("Sunset"), "GMT") {
		t.Error(header)
	}
}

func Test_the_address_is_what_the_server_knows_and_no_header_of_the_client(t *testing.T) {
	key := newKey(t, NewKey{AllowedIPs: []string{"203.0.113.7"}})
	headers := []string{
		"Authorization", "Bearer " + key.Key, "X-Forwarded-For", "203.0.113.7",
		"X-Real-IP", "203.0.113.7", "Forwarded", "for=203.0.113.7",
	}
	equal(t, "allowed", get(t, admin(t), Require{}, "203.0.113.7:1", headers...).Code, 200)
	refusedWith(t, get(t, admin(t), Require{}, remote, headers...), 403, "IP_NOT_ALLOWED")
	refusedWith(t, get(t, admin(t), Require{}, "@", headers...), 403, "IP_NOT_ALLOWED")
	proxied := Require{IP: func(r *http.Request) string { return r.Header.Get("X-Real-IP") }}
	equal(t, "proxied", get(t, admin(t), proxied, remote, headers...).Code, 200)
}

func Test_without_keyward_nothing_is_let_through(t *testing.T) {
	client, err := NewClient(Config{URL: "http://127.0.0.1:1", ManagementKey: "kw_test", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var told error
	require := Require{OnError: func(_ *http.Request, err error) { told = err }}
	response := get(t, client, require, remote, "X-API-Key", secret)
	refusedWith(t, response, 503, "UNAVAILABLE")
	equal(t, "Retry-After", response.Header().Get("Retry-After"), "1")
	if codeOf(told) != Unreachable || strings.Contains(told.Error(), secret) {
		t.Error(told)
	}
}

func Test_a_lost_answer_lets_nothing_through_and_was_spent_once(t *testing.T) {
	key := newKey(t, credits(10))
	p := startProxy(t, lost)
	p.open()
	require := Require{OnError: func(*http.Request, error) {}}
	response := get(t, newClient(t, p.URL, 5*time.Second), require, remote, "X-API-Key", key.Key)
	refusedWith(t, response, 503, "UNAVAILABLE")
	equal(t, "remaining", remaining(t, key), 9)
}

func Test_a_verdict_of_a_later_version_gets_403(t *testing.T) {
	client := answering(t, 200, `{"valid":true,"code":"CODE_OF_A_LATER_VERSION"}`)
	refusedWith(t, get(t, client, Require{}, remote, "X-API-Key", "ak"), 403, "CODE_OF_A_LATER_VERSION")
}
