package keyward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// service skips where no Keyward runs; KEYWARD_MANAGEMENT_KEY may do everything.
func service(t *testing.T) string {
	t.Helper()
	url := os.Getenv("KEYWARD_URL")
	if url == "" {
		t.Skip("KEYWARD_URL is not set: npm run test:client-go starts a Keyward")
	}
	return url
}

func newClient(t *testing.T, url string, timeout time.Duration) *Client {
	t.Helper()
	client, err := NewClient(Config{URL: url, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func admin(t *testing.T) *Client {
	t.Helper()
	return newClient(t, service(t), 10*time.Second)
}

func newKey(t *testing.T, key NewKey) *Key {
	t.Helper()
	key.Name, key.OwnerID = "test", "customer_42"
	created, err := admin(t).CreateKey(context.Background(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// remaining are the credits that are left, without spending any.
func remaining(t *testing.T, key *Key) int64 {
	t.Helper()
	verdict, err := admin(t).Verify(context.Background(), Question{Key: key.Key, Cost: Cost(0)})
	if err != nil {
		t.Fatal(err)
	}
	return verdict.Credits.Remaining
}

// unique is not taken by an earlier run against the same service.
func unique(name string) string { return fmt.Sprintf("%s_%d", name, time.Now().UnixNano()) }

func equal(t *testing.T, what string, actual, expected any) {
	t.Helper()
	a, _ := json.Marshal(actual)
	e, _ := json.Marshal(expected)
	if !bytes.Equal(a, e) {
		t.Errorf("%s: got %s, expected %s", what, a, e)
	}
}

func codeOf(err error) string {
	if failure, ok := err.(*Error); ok {
		return failure.Code
	}
	return ""
}

// A plan is what the proxy does to one request instead of passing it on.
type plan struct {
	// lost: the service has answered, and the client gets nothing; cut: half of it.
	lost, cut bool
	status    int
	code      string
	headers   map[string]string
}

var (
	passOn     = plan{}
	lost       = plan{lost: true}
	cut        = plan{cut: true}
	overloaded = atOnce(503, "OVERLOADED")
)

func atOnce(status int, code string) plan {
	return plan{status: status, code: code, headers: map[string]string{"Retry-After": "0"}}
}

type call struct {
	Path  string
	Items int
}

var lone = call{"/v1/verify", 1}

func batchOf(items int) call { return call{"/v1/verify/batch", items} }

// A proxy stands between the client and the service and loses or replaces answers, as networks do.
type proxy struct {
	URL string
	// arrived gets a value for each request; while gate is open (not closed), requests wait.
	arrived chan struct{}
	gate    chan struct{}

	mu    sync.Mutex
	plans []plan
	calls []call
}

func startProxy(t *testing.T, plans ...plan) *proxy {
	t.Helper()
	p := &proxy{plans: plans, arrived: make(chan struct{}, 1000), gate: make(chan struct{})}
	server := httptest.NewServer(p.handler(t, service(t)))
	p.URL = server.URL
	t.Cleanup(func() {
		p.open()
		server.Close()
	})
	return p
}

func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

func (p *proxy) seen() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]call{}, p.calls...)
}

func (p *proxy) note(path string, body []byte) plan {
	var asked struct{ Requests []json.RawMessage }
	_ = json.Unmarshal(body, &asked)
	items := len(asked.Requests)
	if items == 0 {
		items = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call{path, items})
	next := passOn
	if len(p.plans) > 0 {
		next, p.plans = p.plans[0], p.plans[1:]
	}
	return next
}

func (p *proxy) handler(t *testing.T, target string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		next := p.note(r.URL.Path, body)
		p.arrived <- struct{}{}
		<-p.gate
		if next.status != 0 {
			for name, value := range next.headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(next.status)
			_ = json.NewEncoder(w).Encode(map[string]string{"code": next.code, "requestId": "req_1"})
			return
		}
		request, _ := http.NewRequest(r.Method, target+r.URL.RequestURI(), bytes.NewReader(body))
		request.Header = r.Header.Clone()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		if next.lost {
			hangUp(w, nil)
			return
		}
		if next.cut {
			hangUp(w, append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), answer[:len(answer)/2]...))
			return
		}
		for name := range response.Header {
			w.Header().Set(name, response.Header.Get(name))
		}
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(answer)
	}
}

func hangUp(w http.ResponseWriter, written []byte) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = connection.Write(written)
	connection.Close()
}
