package keyward

import (
	"context"
	"sync"
	"time"
)

const (
	maxItems = 100
	// A batch waits for the call in flight, but not long: one slow key holds up no others.
	maxWait = 10 * time.Millisecond
)

type result struct {
	verdict *Verdict
	err     *Error
}

type asked struct {
	question Question
	ctx      context.Context
	// Has room for the result, so that nobody waits for a caller who has gone away.
	done chan result
}

// A batcher sends a lone question at once; what arrives while a call is in flight goes in the next one.
type batcher struct {
	send func([]Question) []result

	mu       sync.Mutex
	waiting  []asked
	inFlight int
	timer    *time.Timer
}

func (b *batcher) ask(ctx context.Context, question Question) (*Verdict, *Error) {
	entry := asked{question, ctx, make(chan result, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, entry)
	if b.inFlight == 0 || len(b.waiting) >= maxItems {
		b.leave()
	} else if b.timer == nil {
		b.timer = time.AfterFunc(maxWait, b.leaveLate)
	}
	b.mu.Unlock()
	select {
	case result := <-entry.done:
		return result.verdict, result.err
	case <-ctx.Done():
	}
	select {
	case result := <-entry.done:
		return result.verdict, result.err
	default:
		return nil, noAnswer(ctx.Err())
	}
}

func (b *batcher) leaveLate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave()
}

// leave sends what waits; the caller holds the lock.
func (b *batcher) leave() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	var batch []asked
	for _, entry := range b.waiting {
		// Whose caller has gone away is not asked: nobody would learn what it has spent.
		if entry.ctx.Err() == nil {
			batch = append(batch, entry)
		}
	}
	b.waiting = nil
	if len(batch) == 0 {
		return
	}
	b.inFlight++
	go b.run(batch)
}

func (b *batcher) run(batch []asked) {
	questions := make([]Question, len(batch))
	for i, entry := range batch {
		questions[i] = entry.question
	}
	for i, result := range b.send(questions) {
		batch[i].done <- result
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	if b.inFlight == 0 && len(b.waiting) > 0 {
		b.leave()
	}
}
