package keyward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	defaultTimeout = 2 * time.Second
	attempts       = 3
	maxAnswerBytes = 32 << 20
)

// Config says where Keyward is and who asks.
type Config struct {
	// URL of Keyward; the environment's KEYWARD_URL if empty.
	URL string
	// ManagementKey with the permission keys:verify; the environment's KEYWARD_MANAGEMENT_KEY if empty.
	ManagementKey string
	// Timeout bounds a call with its attempts and pauses; 2 seconds if zero.
	Timeout time.Duration
	// Transport, for TLS of your own or a proxy; if nil, one that goes straight to Keyward.
	Transport http.RoundTripper
}

// A Client asks Keyward. It may be shared by goroutines, and keeps its connections.
type Client struct {
	url     string
	key     string
	timeout time.Duration
	http    *http.Client
	batches batcher
}

// NewClient makes a client; it does not connect yet.
func NewClient(config Config) (*Client, error) {
	address := config.URL
	if address == "" {
		address = os.Getenv("KEYWARD_URL")
	}
	key := config.ManagementKey
	if key == "" {
		key = os.Getenv("KEYWARD_MANAGEMENT_KEY")
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, errors.New("keyward: Config.URL, or KEYWARD_URL, must be the http(s) address of Keyward")
	}
	key = strings.TrimSpace(key)
	if key == "" {
		return nil, errors.New("keyward: Config.ManagementKey, or KEYWARD_MANAGEMENT_KEY, is missing")
	}
	timeout := config.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	transport := config.Transport
	if transport == nil {
		transport = newTransport()
	}
	client := &Client{
		url: strings.TrimRight(address, "/"), key: key, timeout: timeout,
		// A redirect would carry the key of a question elsewhere.
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
	client.batches.send = client.send
	return client, nil
}

// newTransport goes straight to Keyward, whatever proxy the environment names: questions have keys.
func newTransport() http.RoundTripper {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 100,
		// Keyward keeps idle connections for 72 seconds: none is used that it is about to close.
		IdleConnTimeout:     60 * time.Second,
		TLSHandshakeTimeout: defaultTimeout,
	}
}

// Verify gives the verdict on a presented key, or an *Error if there is none.
func (c *Client) Verify(ctx context.Context, question Question) (*Verdict, error) {
	if question.RequiredAnyScope != nil && len(question.RequiredAnyScope) == 0 {
		return nil, errors.New("keyward: RequiredAnyScope is empty: one of no scopes is no permission")
	}
	var verdict *Verdict
	err := c.repeat(ctx, question.harmless(), func(ctx context.Context) *Error {
		var err *Error
		verdict, err = c.batches.ask(ctx, question)
		return err
	})
	if err != nil {
		return nil, err
	}
	return verdict, nil
}

// verification counts and may spend, whatever its method.
var verification = regexp.MustCompile(`^/v1/(verify|introspect|authorize)\b`)

// Request makes any call of the API: body is sent as JSON unless nil, the answer is read into answer
// unless that is nil. With an idempotencyKey a change acts once, however often it is asked.
func (c *Client) Request(ctx context.Context, method, path string, body, answer any, idempotencyKey string) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = encode(body); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(path, "/") {
		return errors.New("keyward: path must begin with /")
	}
	var read []byte
	harmless := method == http.MethodGet && !verification.MatchString(path)
	err := c.repeat(ctx, harmless, func(ctx context.Context) *Error {
		var err *Error
		read, err = c.exchange(ctx, method, path, text, idempotencyKey)
		return err
	})
	if err != nil {
		return err
	}
	if answer == nil || len(read) == 0 {
		return nil
	}
	if json.Unmarshal(read, answer) != nil {
		return unreadable("not JSON of this type")
	}
	return nil
}

// repeat asks until there is an answer, or asking again might spend twice or take too long.
func (c *Client) repeat(ctx context.Context, harmless bool, ask func(context.Context) *Error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		pause := err.pauseBefore(attempt + 1)
		deadline, _ := ctx.Deadline()
		if attempt == attempts || !err.mayRepeat(harmless) || time.Until(deadline) <= pause {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// send makes one call of one or many questions.
func (c *Client) send(questions []Question) []result {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	if len(questions) == 1 {
		return []result{c.sendAlone(ctx, questions[0])}
	}
	text, err := encode(map[string]any{"requests": questions})
	if err != nil {
		return failed(len(questions), &Error{Code: "INVALID_REQUEST", Detail: "the question cannot be written"})
	}
	read, failure := c.exchange(ctx, http.MethodPost, "/v1/verify/batch", text, "")
	if failure != nil {
		if failure.Status == http.StatusBadRequest || failure.Status == http.StatusRequestEntityTooLarge {
			// Too large, or more items than the management key may send: nothing was verified.
			return c.sendEach(ctx, questions)
		}
		return failed(len(questions), failure)
	}
	var answer struct {
		Results []item `json:"results"`
	}
	if json.Unmarshal(read, &answer) != nil || len(answer.Results) != len(questions) {
		return failed(len(questions), unreadable("not the results of a batch"))
	}
	results := make([]result, len(questions))
	for i, item := range answer.Results {
		results[i] = item.result()
	}
	return results
}

func (c *Client) sendEach(ctx context.Context, questions []Question) []result {
	results := make([]result, len(questions))
	done := make(chan struct{})
	for i := range questions {
		go func(i int) {
			results[i] = c.sendAlone(ctx, questions[i])
			done <- struct{}{}
		}(i)
	}
	for range questions {
		<-done
	}
	return results
}

func (c *Client) sendAlone(ctx context.Context, question Question) result {
	text, err := encode(question)
	if err != nil {
		return result{err: &Error{Code: "INVALID_REQUEST", Detail: "the question cannot be written"}}
	}
	read, failure := c.exchange(ctx, http.MethodPost, "/v1/verify", text, "")
	if failure != nil {
		return result{err: failure}
	}
	var answer item
	if json.Unmarshal(read, &answer) != nil {
		return result{err: unreadable("not a verdict")}
	}
	return answer.result()
}

func failed(count int, err *Error) []result {
	results := make([]result, count)
	for i := range results {
		results[i] = result{err: err}
	}
	return results
}

// exchange sends one request and gives the body of a success.
func (c *Client) exchange(ctx context.Context, method, path string, body []byte, idempotencyKey string) ([]byte, *Error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Code: "INVALID_REQUEST", Detail: "the request cannot be made"}
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	if idempotencyKey != "" {
		request.Header.Set("Idempotency-Key", idempotencyKey)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, noAnswer(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, problem(response, read)
	}
	return read, nil
}
