package keyward

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
)

// denial is what a client is told of a verdict.
type denial struct {
	status int
	detail string
	// reason is an error of RFC 6750.
	reason string
}

var denials = map[string]denial{
	"KEY_MISSING":          {401, "Send an API key: `Authorization: Bearer <key>`.", ""},
	"KEY_AMBIGUOUS":        {401, "Send one API key, not several.", ""},
	"NOT_FOUND":            {401, "The API key is unknown.", "invalid_token"},
	"REVOKED":              {401, "The API key is revoked.", "invalid_token"},
	"DISABLED":             {401, "The API key is disabled.", "invalid_token"},
	"NOT_YET_VALID":        {401, "The API key is not valid yet.", "invalid_token"},
	"EXPIRED":              {401, "The API key has expired.", "invalid_token"},
	"WORKSPACE_SUSPENDED":  {403, "The workspace of the API key is suspended.", ""},
	"IP_NOT_ALLOWED":       {403, "The API key may not be used from this address.", ""},
	"INSUFFICIENT_SCOPE":   {403, "The API key lacks a required scope.", "insufficient_scope"},
	"RESOURCE_NOT_ALLOWED": {403, "The API key has no access to this resource.", ""},
	"RATE_LIMITED":         {429, "The API key has reached a rate limit.", ""},
	"CREDITS_EXHAUSTED":    {429, "The API key has no credits left.", ""},
}

const maxScopesBytes = 4096

// refuse answers with the status of a code; the verdict is nil where there is no key to judge.
func refuse(w http.ResponseWriter, code string, verdict *Verdict, cost int64) {
	denied, known := denials[code]
	if !known {
		denied = denial{403, "The API key is not valid.", ""}
	}
	requestID := ""
	if verdict != nil {
		requestID = verdict.RequestID
		setLimitHeaders(w.Header(), verdict)
		if at := retryAt(verdict, cost); at != nil {
			w.Header().Set("Retry-After", fmt.Sprint(secondsUntil(*at)))
		}
	}
	if challenge := challengeOf(denied, verdict); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	writeProblem(w, denied, code, requestID)
}

// refuseUnavailable: whatever went wrong between this service and Keyward is not the client's fault.
func refuseUnavailable(w http.ResponseWriter, err error) {
	requestID := ""
	var known *Error
	if errors.As(err, &known) {
		requestID = known.RequestID
	}
	w.Header().Set("Retry-After", "1")
	writeProblem(w, denial{503, "The API key cannot be verified at the moment.", ""}, "UNAVAILABLE", requestID)
}

func writeProblem(w http.ResponseWriter, denied denial, code, requestID string) {
	body, _ := json.Marshal(struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Code      string `json:"code"`
		Detail    string `json:"detail"`
		RequestID string `json:"requestId,omitempty"`
	}{"about:blank", http.StatusText(denied.status), denied.status, code, denied.detail, requestID})
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(denied.status)
	_, _ = w.Write(body)
}

// challengeOf is the WWW-Authenticate header (RFC 6750).
func challengeOf(denied denial, verdict *Verdict) string {
	if denied.status != http.StatusUnauthorized && denied.reason == "" {
		return ""
	}
	challenge := `Bearer realm="keyward"`
	if denied.reason != "" {
		challenge += fmt.Sprintf(`, error="%s"`, denied.reason)
	}
	if denied.reason == "insufficient_scope" && verdict != nil {
		scopes := strings.Join(verdict.MissingScopes, " ")
		if len(scopes) > maxScopesBytes {
			scopes = scopes[:strings.LastIndex(scopes[:maxScopesBytes], " ")]
		}
		challenge += fmt.Sprintf(`, scope="%s"`, scopes)
	}
	return challenge
}

// setVerdictHeaders tells a client of its limits and of the end of its key string.
func setVerdictHeaders(header http.Header, verdict *Verdict) {
	setLimitHeaders(header, verdict)
	if verdict.Rotation != nil && verdict.Rotation.ValidUntil != nil {
		header.Set("Deprecation", fmt.Sprintf("@%d", time.Now().Unix()))
		header.Set("Sunset", verdict.Rotation.ValidUntil.UTC().Format(http.TimeFormat))
	}
}

func setLimitHeaders(header http.Header, verdict *Verdict) {
	if len(verdict.RateLimits) == 0 {
		return
	}
	var policies, states []string
	for _, limit := range verdict.RateLimits {
		policies = append(policies, fmt.Sprintf(`"%s";q=%d;w=%d`, limit.Name, limit.Limit, limit.WindowSeconds))
		state := fmt.Sprintf(`"%s";r=%d`, limit.Name, limit.Remaining)
		if limit.ResetAt != nil {
			state += fmt.Sprintf(";t=%d", secondsUntil(*limit.ResetAt))
		}
		states = append(states, state)
	}
	header.Set("RateLimit-Policy", strings.Join(policies, ", "))
	header.Set("RateLimit", strings.Join(states, ", "))
}

// retryAt is when the same request may pass; nil if waiting does not help, or is not known to.
func retryAt(verdict *Verdict, cost int64) *time.Time {
	if verdict.Code != "RATE_LIMITED" || (verdict.Credits != nil && verdict.Credits.Remaining < cost) {
		return nil
	}
	var latest *time.Time
	for i := range verdict.RateLimits {
		limit := &verdict.RateLimits[i]
		if !limit.Exceeded {
			continue
		}
		if cost > limit.Limit {
			return nil
		}
		if limit.ResetAt != nil && (latest == nil || limit.ResetAt.After(*latest)) {
			latest = limit.ResetAt
		}
	}
	if latest == nil || endsBefore(verdict.ExpiresAt, *latest) {
		return nil
	}
	if verdict.Rotation != nil && endsBefore(verdict.Rotation.ValidUntil, *latest) {
		return nil
	}
	return latest
}

func endsBefore(end *time.Time, moment time.Time) bool {
	return end != nil && !end.After(moment)
}

// secondsUntil is at least 1: a client that waits 0 seconds has not waited.
func secondsUntil(moment time.Time) int64 {
	return int64(math.Max(1, math.Ceil(time.Until(moment).Seconds())))
}
