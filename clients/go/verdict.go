package keyward

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// A Question is one verification.
type Question struct {
	// Key is the key as it was presented, without a scheme.
	Key string `json:"key"`
	// RequiredScopes must all be among the scopes of the key.
	RequiredScopes []string `json:"requiredScopes,omitempty"`
	// RequiredAnyScope must have one of the scopes of the key; empty but not nil is an error.
	RequiredAnyScope []string `json:"requiredAnyScope,omitempty"`
	Resource         string   `json:"resource,omitempty"`
	// IP is the client's address as the server or its trusted proxy knows it.
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
	// Cost is what the verification spends: 1 if nil; see Cost.
	Cost        *int   `json:"cost,omitempty"`
	WorkspaceID string `json:"workspaceId,omitempty"`
}

// Cost is a cost for a Question; 0 only looks.
func Cost(units int) *int { return &units }

// harmless tells whether it may be asked twice: it spends nothing.
func (q Question) harmless() bool { return q.Cost != nil && *q.Cost == 0 }

// A Verdict on a presented key. Whatever is not known to be valid is not valid.
type Verdict struct {
	Valid bool   `json:"valid"`
	Code  string `json:"code"`
	// KeyID and all below are empty after NOT_FOUND.
	KeyID         string          `json:"keyId"`
	WorkspaceID   string          `json:"workspaceId"`
	Name          string          `json:"name"`
	OwnerID       string          `json:"ownerId"`
	Scopes        []string        `json:"scopes"`
	Resources     []string        `json:"resources"`
	Metadata      json.RawMessage `json:"metadata"`
	ExpiresAt     *time.Time      `json:"expiresAt"`
	Rotation      *Rotation       `json:"rotation"`
	MissingScopes []string        `json:"missingScopes"`
	Credits       *Credits        `json:"credits"`
	RateLimits    []RateLimit     `json:"rateLimits"`
	Stale         bool            `json:"stale"`
	RequestID     string          `json:"requestId"`
}

// Rotation tells how the presented string stands in a rotation of its key.
type Rotation struct {
	Retiring   bool       `json:"retiring"`
	ValidUntil *time.Time `json:"validUntil"`
}

// Credits are what is left of them.
type Credits struct {
	Remaining int64 `json:"remaining"`
}

// A RateLimit of the key with its state.
type RateLimit struct {
	Name          string     `json:"name"`
	Limit         int64      `json:"limit"`
	WindowSeconds int64      `json:"windowSeconds"`
	Remaining     int64      `json:"remaining"`
	ResetAt       *time.Time `json:"resetAt"`
	Exceeded      bool       `json:"exceeded"`
}

// item is an item of a batch: a verdict, or why it has none.
type item struct {
	Verdict
	// Read as a pointer, so that an answer without it is no verdict.
	Decided *bool `json:"valid"`
	Errors  []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// The statuses are those of a single verification.
var withoutVerdict = map[string]int{
	"INVALID_REQUEST": 400, "KEY_WITH_SCHEME": 400, "UNAVAILABLE": 503,
}

func (i item) result() result {
	if i.Decided == nil || i.Code == "" {
		return result{err: unreadable("not a verdict")}
	}
	if status, ok := withoutVerdict[i.Code]; ok {
		details := make([]string, len(i.Errors))
		for at, e := range i.Errors {
			details[at] = e.Pointer + ": " + e.Detail
		}
		return result{err: &Error{
			Code: i.Code, Status: status, RequestID: i.RequestID,
			Detail: keys.ReplaceAllString(strings.Join(details, "; "), redacted),
		}}
	}
	verdict := i.Verdict
	verdict.Valid = *i.Decided && i.Code == "VALID"
	return result{verdict: &verdict}
}

// encode writes JSON without escaping what is special in HTML alone.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}
