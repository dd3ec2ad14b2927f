package keyward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var ctx = context.Background()

const secret = "ak_live_this_string_must_not_be_shown"

// answering is a client whose every question gets this answer.
func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	client, err := NewClient(Config{URL: server.URL, ManagementKey: "kw_test"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func Test_a_valid_key_gives_a_typed_verdict(t *testing.T) {
	expiry := time.Date(2126, 1, 31, 12, 0, 0, 0, time.UTC)
	key := newKey(t, NewKey{
		Scopes: []string{"orders:read"}, Metadata: map[string]any{"plan": "pro"}, ExpiresAt: &expiry,
		RateLimits: []NewRateLimit{{"per-hour", 10, 3600}},
	})
	verdict, err := admin(t).Verify(ctx, Question{Key: key.Key, RequiredScopes: []string{"orders:read"}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "valid", verdict.Valid, true)
	equal(t, "code", verdict.Code, "VALID")
	equal(t, "key", verdict.KeyID, key.ID)
	equal(t, "owner", verdict.OwnerID, "customer_42")
	equal(t, "scopes", verdict.Scopes, []string{"orders:read"})
	equal(t, "metadata", string(verdict.Metadata), `{"plan":"pro"}`)
	equal(t, "expiry", verdict.ExpiresAt, expiry)
	equal(t, "retiring", verdict.Rotation.Retiring, false)
	equal(t, "remaining", verdict.RateLimits[0].Remaining, 9)
}

func Test_a_negative_verdict_is_an_answer_and_no_error(t *testing.T) {
	key := newKey(t, NewKey{})
	verdict, err := admin(t).Verify(ctx, Question{Key: key.Key, RequiredScopes: []string{"orders:write"}})
	if err != nil || verdict.Valid {
		t.Fatal(verdict, err)
	}
	equal(t, "code", verdict.Code, "INSUFFICIENT_SCOPE")
	equal(t, "missing", verdict.MissingScopes, []string{"orders:write"})
}

func Test_a_revoked_key_is_refused_at_the_next_question(t *testing.T) {
	client, key := admin(t), newKey(t, NewKey{})
	before, err := client.Verify(ctx, Question{Key: key.Key})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "before", before.Code, "VALID")
	if err := client.RevokeKey(ctx, key.ID, "leaked"); err != nil {
		t.Fatal(err)
	}
	after, err := client.Verify(ctx, Question{Key: key.Key})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "after", after.Code, "REVOKED")
	read, err := client.GetKey(ctx, key.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "status", read.Status, "revoked")
}

func Test_a_rotation_gives_a_new_string_and_the_old_one_is_told_to_retire(t *testing.T) {
	client, key := admin(t), newKey(t, NewKey{})
	rotated, err := client.RotateKey(ctx, key.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	current, err := client.Verify(ctx, Question{Key: rotated.Key})
	if err != nil {
		t.Fatal(err)
	}
	retiring, err := client.Verify(ctx, Question{Key: key.Key})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "current", current.Valid && !current.Rotation.Retiring, true)
	equal(t, "retiring", retiring.Valid && retiring.Rotation.Retiring, true)
}

func Test_a_creation_with_an_idempotency_key_acts_once(t *testing.T) {
	idempotencyKey := unique("create")
	first, err := admin(t).CreateKey(ctx, NewKey{Name: "once"}, idempotencyKey)
	if err != nil {
		t.Fatal(err)
	}
	again, err := admin(t).CreateKey(ctx, NewKey{Name: "once"}, idempotencyKey)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", again.ID, first.ID)
	equal(t, "string", []bool{first.Key != "", again.Key != ""}, []bool{true, false})
}

func Test_an_error_has_the_code_the_status_and_the_request_id(t *testing.T) {
	stranger, err := NewClient(Config{URL: service(t), ManagementKey: "kw_wrong"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.Verify(ctx, Question{Key: "ak"})
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	equal(t, "code", failure.Code, "UNAUTHENTICATED")
	equal(t, "status", failure.Status, 401)
	if failure.RequestID == "" || !strings.Contains(err.Error(), failure.RequestID) {
		t.Error("no request id in", err)
	}
}

func Test_no_error_contains_a_key(t *testing.T) {
	client := admin(t)
	nobody, err := NewClient(Config{URL: "http://127.0.0.1:1", ManagementKey: secret, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	strange, err := NewClient(Config{URL: service(t), ManagementKey: secret + "\nx"})
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() (*Verdict, error){
		"scheme": func() (*Verdict, error) { return client.Verify(ctx, Question{Key: "Bearer " + secret}) },
		"scope": func() (*Verdict, error) {
			return client.Verify(ctx, Question{Key: secret, RequiredScopes: []string{"not a scope"}})
		},
		"page":       func() (*Verdict, error) { return answering(t, 200, "<html>").Verify(ctx, Question{Key: secret}) },
		"500":        func() (*Verdict, error) { return answering(t, 500, "{}").Verify(ctx, Question{Key: secret}) },
		"nobody":     func() (*Verdict, error) { return nobody.Verify(ctx, Question{Key: secret}) },
		"management": func() (*Verdict, error) { return strange.Verify(ctx, Question{Key: secret}) },
	} {
		_, err := ask()
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func Test_an_error_has_no_key_in_it_whatever_the_answer_that_it_is_made_of_says(t *testing.T) {
	key := newKey(t, NewKey{}).Key
	problem := fmt.Sprintf(`{"code":"INVALID_REQUEST","detail":"%s"}`, key)
	item := fmt.Sprintf(`{"valid":false,"code":"INVALID_REQUEST","errors":[{"pointer":"/%s","detail":"%s"}]}`, key, key)
	for body, status := range map[string]int{problem: 400, item: 200} {
		_, err := answering(t, status, body).Verify(ctx, Question{Key: "ak"})
		if codeOf(err) != "INVALID_REQUEST" || strings.Contains(fmt.Sprintf("%v %#v", err, err), key) {
			t.Error(err)
		}
	}
}

func Test_whatever_is_not_known_to_be_valid_is_not_valid(t *testing.T) {
	for body, valid := range map[string]bool{
		`{"valid":true,"code":"VALID"}`:                    true,
		`{"valid":true,"code":"CODE_OF_A_LATER_VERSION"}`:  false,
		`{"valid":false,"code":"VALID"}`:                   false,
		`{"valid":false,"code":"CODE_OF_A_LATER_VERSION"}`: false,
	} {
		verdict, err := answering(t, 200, body).Verify(ctx, Question{Key: "ak"})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, body, verdict.Valid, valid)
	}
}

func Test_an_answer_that_cannot_be_read_is_an_error_and_no_verdict(t *testing.T) {
	for _, body := range []string{"", "[]", "null", "true", "{}", `{"valid":"true","code":"VALID"}`, `{"valid":tr`, `{"code":"VALID"}`} {
		verdict, err := answering(t, 200, body).Verify(ctx, Question{Key: "ak"})
		if verdict != nil || codeOf(err) != BadAnswer {
			t.Errorf("%q: %v %v", body, verdict, err)
		}
	}
}

func Test_a_redirect_is_not_followed_with_the_key(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the key went elsewhere")
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	client, err := NewClient(Config{URL: server.URL, ManagementKey: "kw_test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Verify(ctx, Question{Key: "ak"}); codeOf(err) != BadAnswer {
		t.Error(err)
	}
}

func Test_an_empty_choice_of_scopes_opens_nothing(t *testing.T) {
	verdict, err := admin(t).Verify(ctx, Question{Key: newKey(t, NewKey{}).Key, RequiredAnyScope: []string{}})
	if verdict != nil || err == nil {
		t.Error(verdict, err)
	}
}
