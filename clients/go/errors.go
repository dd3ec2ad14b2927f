package keyward

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// The codes of an Error without an answer of Keyward.
const (
	// Unreachable: no connection, so the question was surely not asked.
	Unreachable = "UNREACHABLE"
	// NoAnswer: a time-out or a cut answer, so the question may have been asked.
	NoAnswer = "NO_ANSWER"
	// BadAnswer: what answered is not Keyward.
	BadAnswer = "BAD_ANSWER"
)

// keys is Keyward's format of key strings, management keys included.
var keys = regexp.MustCompile(`[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{65}`)

// An Error says why there is no verdict, or why a management call failed. It never contains a key.
type Error struct {
	// Code is for programs: that of Keyward, or one of the constants.
	Code string
	// Status is the HTTP status, 0 if there was none.
	Status int
	// RequestID finds the call in the log of Keyward.
	RequestID string
	// Detail is for people.
	Detail string

	retryAfter *time.Duration
	cause      error
}

func (e *Error) Error() string {
	text := "keyward: "
	if e.Status != 0 {
		text += fmt.Sprintf("%d ", e.Status)
	}
	text += e.Code
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Unwrap gives the error of the network or of the context.
func (e *Error) Unwrap() error { return e.cause }

// mayRepeat tells whether to ask again. What is not known to be unspent is repeated only if harmless.
func (e *Error) mayRepeat(harmless bool) bool {
	// With another status, such a code is of a proxy, which may have passed the question on.
	switch {
	case e.Status == 0 && e.Code == Unreachable,
		e.Status == 429 && e.Code == "TOO_MANY_REQUESTS",
		e.Status == 503 && e.Code == "OVERLOADED":
		return true
	case e.Status == 0 && e.Code == NoAnswer:
		return harmless
	}
	return harmless && (e.Status == 502 || e.Status == 503 || e.Status == 504)
}

// pauseBefore is the time to wait before this attempt, which follows the error.
func (e *Error) pauseBefore(attempt int) time.Duration {
	if e.retryAfter != nil {
		return *e.retryAfter
	}
	return time.Duration(attempt-1) * 100 * time.Millisecond
}

func noAnswer(cause error) *Error {
	var dial *net.OpError
	code := NoAnswer
	if errors.As(cause, &dial) && dial.Op == "dial" {
		code = Unreachable
	}
	return &Error{Code: code, Detail: redacted(cause.Error()), cause: cause}
}

func redacted(text string) string { return keys.ReplaceAllString(text, mask) }

func unreadable(what string) *Error {
	return &Error{Code: BadAnswer, Detail: "the answer cannot be read: " + what}
}

func problem(response *http.Response, body []byte) *Error {
	var read struct {
		Code      string `json:"code"`
		Detail    string `json:"detail"`
		RequestID string `json:"requestId"`
	}
	if json.Unmarshal(body, &read) != nil || read.Code == "" {
		// A proxy's own page: nobody knows what became of the question.
		read.Code, read.Detail = BadAnswer, "the answer is not of Keyward"
	}
	if read.RequestID == "" {
		read.RequestID = response.Header.Get("X-Request-Id")
	}
	return &Error{
		Code: read.Code, Status: response.StatusCode, RequestID: read.RequestID,
		Detail:     redacted(read.Detail),
		retryAfter: seconds(response.Header.Get("Retry-After")),
	}
}

func seconds(text string) *time.Duration {
	whole, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil
	}
	wait := time.Duration(whole) * time.Second
	return &wait
}
