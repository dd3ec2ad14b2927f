package keyward

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// ask verifies through a proxy that has these plans.
func ask(t *testing.T, question Question, plans ...plan) (*proxy, *Verdict, error) {
	t.Helper()
	p := startProxy(t, plans...)
	p.open()
	verdict, err := newClient(t, p.URL, 5*time.Second).Verify(ctx, question)
	return p, verdict, err
}

func credits(count int64) NewKey { return NewKey{Credits: &Credits{count}} }

func Test_after_a_lost_or_cut_answer_the_cost_was_spent_once(t *testing.T) {
	for name, plan := range map[string]plan{"lost": lost, "cut": cut} {
		key := newKey(t, credits(10))
		p, _, err := ask(t, Question{Key: key.Key}, plan)
		equal(t, name, codeOf(err), NoAnswer)
		equal(t, name, p.seen(), []call{lone})
		equal(t, name, remaining(t, key), 9)
	}
}

func Test_a_question_that_spends_nothing_is_asked_again(t *testing.T) {
	for name, plan := range map[string]plan{
		"lost": lost, "cut": cut, "unavailable": atOnce(503, "UNAVAILABLE"), "timed out": atOnce(503, "TIMED_OUT"),
	} {
		key := newKey(t, credits(10))
		p, verdict, err := ask(t, Question{Key: key.Key, Cost: Cost(0)}, plan)
		if err != nil || !verdict.Valid {
			t.Error(name, verdict, err)
		}
		equal(t, name, len(p.seen()), 2)
		equal(t, name, remaining(t, key), 10)
	}
}

func Test_what_was_refused_unverified_is_asked_again(t *testing.T) {
	for name, plan := range map[string]plan{"overloaded": overloaded, "rate": atOnce(429, "TOO_MANY_REQUESTS")} {
		key := newKey(t, credits(10))
		p, verdict, err := ask(t, Question{Key: key.Key}, plan)
		if err != nil || !verdict.Valid {
			t.Error(name, verdict, err)
		}
		equal(t, name, len(p.seen()), 2)
		equal(t, name, remaining(t, key), 9)
	}
}

func Test_what_may_have_been_spent_is_not_asked_again(t *testing.T) {
	for code, status := range map[string]int{
		"UNAVAILABLE": 503, "TIMED_OUT": 503, "INTERNAL": 500, "X": 401,
		// Of a proxy, which may have passed it on.
		"UNREACHABLE": 502, "OVERLOADED": 504, "TOO_MANY_REQUESTS": 502,
	} {
		p, _, err := ask(t, Question{Key: newKey(t, NewKey{}).Key}, atOnce(status, code))
		equal(t, code, codeOf(err), code)
		equal(t, code, len(p.seen()), 1)
	}
}

func Test_no_call_that_verifies_is_asked_twice_whatever_its_method(t *testing.T) {
	for _, path := range []string{"/v1/authorize", "/v1/authorize/orders/7"} {
		p := startProxy(t, lost)
		p.open()
		err := newClient(t, p.URL, 5*time.Second).Request(ctx, "GET", path, nil, nil, "")
		equal(t, path, codeOf(err), NoAnswer)
		equal(t, path, len(p.seen()), 1)
	}
}

func Test_attempts_are_bounded(t *testing.T) {
	p, _, err := ask(t, Question{Key: newKey(t, NewKey{}).Key}, overloaded, overloaded, overloaded, overloaded)
	equal(t, "code", codeOf(err), "OVERLOADED")
	equal(t, "calls", len(p.seen()), 3)
}

func Test_a_retry_after_beyond_the_timeout_is_not_waited_for(t *testing.T) {
	started := time.Now()
	later := plan{status: 503, code: "OVERLOADED", headers: map[string]string{"Retry-After": "60"}}
	_, _, err := ask(t, Question{Key: newKey(t, NewKey{}).Key}, later)
	equal(t, "code", codeOf(err), "OVERLOADED")
	equal(t, "in time", time.Since(started) < 5*time.Second, true)
}

func Test_a_service_that_says_nothing_is_given_up_at_the_timeout(t *testing.T) {
	p := startProxy(t)
	client := newClient(t, p.URL, 200*time.Millisecond)
	_, err := client.Verify(ctx, Question{Key: newKey(t, NewKey{}).Key})
	equal(t, "code", codeOf(err), NoAnswer)
	equal(t, "is the deadline", errors.Is(err, context.DeadlineExceeded), true)
	equal(t, "calls", p.seen(), []call{lone})
}

// refusingOnce refuses the first connection.
type refusingOnce struct{ attempts int }

func (r *refusingOnce) RoundTrip(request *http.Request) (*http.Response, error) {
	r.attempts++
	if r.attempts == 1 {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return http.DefaultTransport.RoundTrip(request)
}

func Test_a_refused_connection_is_tried_again_until_someone_listens(t *testing.T) {
	key := newKey(t, credits(10))
	transport := &refusingOnce{}
	client, err := NewClient(Config{URL: service(t), Timeout: 5 * time.Second, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := client.Verify(ctx, Question{Key: key.Key})
	if err != nil || !verdict.Valid {
		t.Error(verdict, err)
	}
	equal(t, "attempts", transport.attempts, 2)
	equal(t, "remaining", remaining(t, key), 9)
}

// losing loses every answer.
type losing struct{ attempts int }

func (l *losing) RoundTrip(*http.Request) (*http.Response, error) {
	l.attempts++
	return nil, io.ErrUnexpectedEOF
}

func Test_a_get_without_an_answer_is_asked_again_unless_it_is_a_verification(t *testing.T) {
	for path, attempts := range map[string]int{"/v1/keys": 3, "/v1/authorize": 1} {
		transport := &losing{}
		client, err := NewClient(Config{URL: "http://keyward", ManagementKey: "kw_test", Timeout: 5 * time.Second, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, path, codeOf(client.Request(ctx, "GET", path, nil, nil, "")), NoAnswer)
		equal(t, path, transport.attempts, attempts)
	}
}

func Test_without_a_service_there_is_an_error_and_no_verdict(t *testing.T) {
	client, err := NewClient(Config{URL: "http://127.0.0.1:1", ManagementKey: "kw_test", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := client.Verify(ctx, Question{Key: "ak"})
	if verdict != nil || codeOf(err) != Unreachable || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(verdict, err)
	}
}

func Test_a_management_key_at_its_maximum_waits_and_passes(t *testing.T) {
	var slow Key
	body := map[string]any{"name": "slow", "permissions": []string{"keys:verify"}, "maxRequestsPerSecond": 1}
	if err := admin(t).Request(ctx, "POST", "/v1/management-keys", body, &slow, ""); err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(Config{URL: service(t), ManagementKey: slow.Key, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, credits(10))
	for i := 0; i < 3; i++ {
		verdict, err := client.Verify(ctx, Question{Key: key.Key})
		if err != nil || !verdict.Valid {
			t.Fatal(verdict, err)
		}
	}
	equal(t, "remaining", remaining(t, key), 7)
}

func Test_a_change_without_an_answer_is_not_repeated(t *testing.T) {
	p := startProxy(t, lost)
	p.open()
	client, owner := newClient(t, p.URL, 5*time.Second), unique("customer_lost")
	if _, err := client.CreateKey(ctx, NewKey{Name: "lost", OwnerID: owner}, ""); codeOf(err) != NoAnswer {
		t.Error(err)
	}
	var page struct{ Data []Key }
	if err := admin(t).Request(ctx, "GET", "/v1/keys?ownerId="+owner, nil, &page, ""); err != nil {
		t.Fatal(err)
	}
	equal(t, "created", len(page.Data), 1)
}
