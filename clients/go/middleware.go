package keyward

import (
	"context"
	"log"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Require is what a request must bring to be let through.
type Require struct {
	// Scopes must all be among the scopes of the key.
	Scopes []string
	// AnyScope must have one of the scopes of the key.
	AnyScope []string
	// Resource tells what the request touches.
	Resource func(*http.Request) string
	// Cost is what the request spends: 1 if nil; see Cost.
	Cost        *int
	WorkspaceID string
	// IP tells the client's address where the server is behind a proxy; by default it is the
	// request's RemoteAddr.
	IP func(*http.Request) string
	// OnError is told why there is no verdict; by default it goes to the standard log.
	OnError func(*http.Request, error)
}

type contextKey struct{}

// FromContext gives the verdict on the request's key, nil if no middleware has asked for one.
func FromContext(ctx context.Context) *Verdict {
	verdict, _ := ctx.Value(contextKey{}).(*Verdict)
	return verdict
}

// RequireKey is a middleware that lets requests with a valid key through, their verdict in the context.
func (c *Client) RequireKey(require Require) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			verdict := c.admit(w, r, require)
			if verdict != nil {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, verdict)))
			}
		})
	}
}

// admit answers who is not let through, and gives the verdict on who is.
func (c *Client) admit(w http.ResponseWriter, r *http.Request, require Require) *Verdict {
	key, missing := presentedKey(r.Header)
	if missing != "" {
		refuse(w, missing, nil, 0)
		return nil
	}
	question := require.question(r, key)
	if require.Resource != nil && !isPossible(question.Resource) {
		refuse(w, "RESOURCE_NOT_ALLOWED", nil, 0)
		return nil
	}
	verdict, err := c.Verify(r.Context(), question)
	if err != nil {
		require.report(r, err)
		refuseUnavailable(w, err)
		return nil
	}
	if !verdict.Valid {
		refuse(w, verdict.Code, verdict, costOf(require.Cost))
		return nil
	}
	setVerdictHeaders(w.Header(), verdict)
	return verdict
}

func (require Require) question(r *http.Request, key string) Question {
	question := Question{
		Key: key, RequiredScopes: require.Scopes, RequiredAnyScope: require.AnyScope,
		UserAgent: userAgent(r), Cost: require.Cost, WorkspaceID: require.WorkspaceID,
	}
	if require.Resource != nil {
		question.Resource = require.Resource(r)
	}
	if require.IP != nil {
		question.IP = address(require.IP(r))
	} else if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		question.IP = peer.Addr().String()
	}
	return question
}

func (require Require) report(r *http.Request, err error) {
	if require.OnError != nil {
		require.OnError(r, err)
		return
	}
	log.Printf("no verdict: %v", err)
}

// possible is one line of text, without what turns its direction.
var possible = regexp.MustCompile(`^[^\p{Cc}\x{2028}-\x{202e}\x{2066}-\x{2069}]{1,256}$`)

// isPossible: a client that makes up a resource which Keyward would not take has no access to it.
func isPossible(resource string) bool {
	return utf8.ValidString(resource) && strings.TrimSpace(resource) != "" && possible.MatchString(resource)
}

// address is what can be one; a key that is bound to addresses is refused without.
func address(text string) string {
	parsed, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return parsed.String()
}

func userAgent(r *http.Request) string {
	characters := []rune(r.UserAgent())
	if len(characters) > 512 {
		characters = characters[:512]
	}
	return string(characters)
}

func costOf(cost *int) int64 {
	if cost == nil {
		return 1
	}
	return int64(*cost)
}

// Keyward takes no key of more than 512 characters, so the rest of a longer one need not travel.
const maxKeyBytes = 2048

var (
	bearer   = regexp.MustCompile(`(?i)^Bearer +(\S+)$`)
	wholeKey = regexp.MustCompile(`^(\S+)$`)
)

// presentedKey is the key in X-API-Key, else in Authorization, as /v1/authorize reads them.
func presentedKey(header http.Header) (key, missing string) {
	for _, place := range []struct {
		name    string
		pattern *regexp.Regexp
	}{{"X-Api-Key", wholeKey}, {"Authorization", bearer}} {
		value, several := only(header.Values(place.name))
		if several {
			return "", "KEY_AMBIGUOUS"
		}
		if match := place.pattern.FindStringSubmatch(value); match != nil {
			if len(match[1]) > maxKeyBytes {
				return match[1][:maxKeyBytes], ""
			}
			return match[1], ""
		}
	}
	return "", "KEY_MISSING"
}

// only is the one value of a header, and whether there are several that differ.
func only(values []string) (value string, several bool) {
	for _, each := range values {
		if value != "" && each != "" && each != value {
			return "", true
		}
		if each != "" {
			value = each
		}
	}
	return value, false
}
