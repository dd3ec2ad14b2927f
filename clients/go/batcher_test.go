package keyward

import (
	"context"
	"runtime"
	"sort"
	"sync"
	"testing"
	"time"
)

type outcome struct {
	verdict *Verdict
	err     error
}

// askAll asks every question at the same time, the first a moment before the others.
func askAll(p *proxy, client *Client, questions []Question) []outcome {
	outcomes := make([]outcome, len(questions))
	var all sync.WaitGroup
	for i := range questions {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			verdict, err := client.Verify(ctx, questions[i])
			outcomes[i] = outcome{verdict, err}
		}(i)
		if i == 0 {
			<-p.arrived
		}
	}
	// None is answered before all were asked, so that none goes alone.
	for waitingIn(client) < len(questions)-1 && len(p.arrived) == 0 {
		runtime.Gosched()
	}
	p.open()
	all.Wait()
	return outcomes
}

func waitingIn(client *Client) int {
	client.batches.mu.Lock()
	defer client.batches.mu.Unlock()
	return len(client.batches.waiting)
}

func same(question Question, count int) []Question {
	questions := make([]Question, count)
	for i := range questions {
		questions[i] = question
	}
	return questions
}

func verifications(calls []call) int {
	sum := 0
	for _, call := range calls {
		sum += call.Items
	}
	return sum
}

func Test_a_lone_question_goes_at_once_and_the_others_in_batches(t *testing.T) {
	key := newKey(t, credits(1000))
	p := startProxy(t)
	outcomes := askAll(p, newClient(t, p.URL, 20*time.Second), same(Question{Key: key.Key}, 251))
	for _, outcome := range outcomes {
		if outcome.err != nil || !outcome.verdict.Valid {
			t.Fatal(outcome)
		}
	}
	calls := p.seen()
	equal(t, "first", calls[0], lone)
	equal(t, "verifications", verifications(calls), 251)
	if len(calls) > 20 {
		t.Errorf("%d calls", len(calls))
	}
	for _, call := range calls[1:] {
		if call.Items > maxItems {
			t.Error(call)
		}
	}
	equal(t, "remaining", remaining(t, key), 749)
}

func Test_a_full_batch_waits_for_no_call_in_flight(t *testing.T) {
	release := make(chan struct{})
	sizes := make(chan int, 10)
	b := &batcher{send: func(questions []Question) []result {
		sizes <- len(questions)
		<-release
		return make([]result, len(questions))
	}}
	var all sync.WaitGroup
	for i := 0; i < 1+2*maxItems; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			_, _ = b.ask(ctx, Question{})
		}()
	}
	sum := 0
	for sum < 1+2*maxItems {
		sum += <-sizes
	}
	close(release)
	all.Wait()
}

func Test_questions_one_after_another_are_never_delayed_into_batches(t *testing.T) {
	key := newKey(t, NewKey{})
	p := startProxy(t)
	p.open()
	client := newClient(t, p.URL, 20*time.Second)
	for i := 0; i < 5; i++ {
		if verdict, err := client.Verify(ctx, Question{Key: key.Key}); err != nil || !verdict.Valid {
			t.Fatal(verdict, err)
		}
	}
	equal(t, "calls", p.seen(), []call{lone, lone, lone, lone, lone})
}

func Test_each_question_of_a_batch_gets_its_own_verdict_or_error(t *testing.T) {
	key := newKey(t, NewKey{Scopes: []string{"orders:read"}})
	p := startProxy(t)
	outcomes := askAll(p, newClient(t, p.URL, 20*time.Second), []Question{
		{Key: key.Key},
		{Key: key.Key, RequiredScopes: []string{"orders:read"}},
		{Key: key.Key, RequiredScopes: []string{"orders:write"}},
		{Key: key.Key, RequiredScopes: []string{"not a scope"}},
		{Key: "Bearer " + key.Key},
		{Key: "unknown"},
	})
	var codes []string
	for _, outcome := range outcomes {
		if outcome.err != nil {
			codes = append(codes, codeOf(outcome.err))
		} else {
			codes = append(codes, outcome.verdict.Code)
		}
	}
	equal(t, "codes", codes, []string{
		"VALID", "VALID", "INSUFFICIENT_SCOPE", "INVALID_REQUEST", "KEY_WITH_SCHEME", "NOT_FOUND",
	})
}

func Test_a_lost_batch_fails_every_question_and_each_was_spent_once(t *testing.T) {
	key := newKey(t, credits(100))
	p := startProxy(t, passOn, lost, lost, lost)
	outcomes := askAll(p, newClient(t, p.URL, 20*time.Second), same(Question{Key: key.Key}, 11))
	for _, outcome := range outcomes[1:] {
		equal(t, "code", codeOf(outcome.err), NoAnswer)
	}
	equal(t, "verifications", verifications(p.seen()), 11)
	equal(t, "remaining", remaining(t, key), 89)
}

func Test_an_overloaded_batch_is_asked_again_and_spent_once(t *testing.T) {
	key := newKey(t, credits(100))
	p := startProxy(t, passOn, overloaded)
	for _, outcome := range askAll(p, newClient(t, p.URL, 20*time.Second), same(Question{Key: key.Key}, 11)) {
		if outcome.err != nil || !outcome.verdict.Valid {
			t.Error(outcome)
		}
	}
	equal(t, "remaining", remaining(t, key), 89)
}

func Test_a_batch_that_is_refused_as_a_whole_is_asked_one_by_one(t *testing.T) {
	key := newKey(t, credits(100))
	p := startProxy(t)
	p.open()
	client := newClient(t, p.URL, 20*time.Second)
	p.plans = []plan{{status: 400, code: "INVALID_REQUEST"}}
	for _, result := range client.send(same(Question{Key: key.Key}, 3)) {
		if result.err != nil || !result.verdict.Valid {
			t.Error(result)
		}
	}
	equal(t, "calls", p.seen(), []call{batchOf(3), lone, lone, lone})
	equal(t, "remaining", remaining(t, key), 97)
}

func Test_a_question_whose_caller_has_gone_away_is_not_sent(t *testing.T) {
	release, sent := make(chan struct{}), make(chan Question, 10)
	b := &batcher{send: func(questions []Question) []result {
		for _, question := range questions {
			sent <- question
		}
		<-release
		return make([]result, len(questions))
	}}
	go func() { _, _ = b.ask(ctx, Question{Key: "first"}) }()
	<-sent
	gone, leave := context.WithCancel(ctx)
	leave()
	if _, err := b.ask(gone, Question{Key: "gone"}); codeOf(err) != NoAnswer {
		t.Error(err)
	}
	close(release)
	_, _ = b.ask(ctx, Question{Key: "last"})
	equal(t, "sent", (<-sent).Key, "last")
}

func Test_a_revocation_between_two_batches_is_seen_by_the_second(t *testing.T) {
	key, client := newKey(t, NewKey{}), admin(t)
	codes := func() []string {
		found := make([]string, 20)
		var all sync.WaitGroup
		for i := range found {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				verdict, err := client.Verify(ctx, Question{Key: key.Key})
				if err != nil {
					t.Error(err)
					return
				}
				found[i] = verdict.Code
			}(i)
		}
		all.Wait()
		sort.Strings(found)
		return []string{found[0], found[19]}
	}
	equal(t, "before", codes(), []string{"VALID", "VALID"})
	if err := client.RevokeKey(ctx, key.ID, ""); err != nil {
		t.Fatal(err)
	}
	equal(t, "after", codes(), []string{"REVOKED", "REVOKED"})
}
