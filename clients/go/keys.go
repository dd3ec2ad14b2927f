package keyward

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// NewKey is what a creation says of a key. Only the name is required.
type NewKey struct {
	Name             string         `json:"name"`
	WorkspaceID      string         `json:"workspaceId,omitempty"`
	OwnerID          string         `json:"ownerId,omitempty"`
	Scopes           []string       `json:"scopes,omitempty"`
	Resources        []string       `json:"resources,omitempty"`
	AllowedIPs       []string       `json:"allowedIps,omitempty"`
	Prefix           string         `json:"prefix,omitempty"`
	ExpiresAt        *time.Time     `json:"expiresAt,omitempty"`
	ExpiresInSeconds int            `json:"expiresInSeconds,omitempty"`
	RateLimits       []NewRateLimit `json:"rateLimits,omitempty"`
	Credits          *Credits       `json:"credits,omitempty"`
	Metadata         map[string]any `json:"metadata,omitempty"`
}

// NewRateLimit is a rate limit of a new key.
type NewRateLimit struct {
	Name          string `json:"name"`
	Limit         int64  `json:"limit"`
	WindowSeconds int64  `json:"windowSeconds"`
}

// A Key; its string is in Key after a creation and a rotation, and only then.
type Key struct {
	ID          string          `json:"id"`
	WorkspaceID string          `json:"workspaceId"`
	Name        string          `json:"name"`
	OwnerID     string          `json:"ownerId"`
	Status      string          `json:"status"`
	Scopes      []string        `json:"scopes"`
	Resources   []string        `json:"resources"`
	Metadata    json.RawMessage `json:"metadata"`
	ExpiresAt   *time.Time      `json:"expiresAt"`
	Key         string          `json:"key"`
}

// CreateKey creates a key. With an idempotencyKey it is created once, however often it is asked, and
// only the first answer has its string.
func (c *Client) CreateKey(ctx context.Context, key NewKey, idempotencyKey string) (*Key, error) {
	return c.requestKey(ctx, http.MethodPost, "/v1/keys", key, idempotencyKey)
}

// GetKey reads a key.
func (c *Client) GetKey(ctx context.Context, id string) (*Key, error) {
	return c.requestKey(ctx, http.MethodGet, keyPath(id), nil, "")
}

// RotateKey gives a key a new string; the old one is valid until the grace period ends.
func (c *Client) RotateKey(ctx context.Context, id string, grace time.Duration) (*Key, error) {
	body := map[string]any{"graceSeconds": int64(grace / time.Second)}
	return c.requestKey(ctx, http.MethodPost, keyPath(id)+"/rotate", body, "")
}

// RevokeKey revokes a key: when it returns, the key is refused everywhere. The reason may be empty.
func (c *Client) RevokeKey(ctx context.Context, id, reason string) error {
	body := map[string]any{}
	if reason != "" {
		body["reason"] = reason
	}
	return c.Request(ctx, http.MethodPost, keyPath(id)+"/revoke", body, nil, "")
}

func (c *Client) requestKey(ctx context.Context, method, path string, body any, idempotencyKey string) (*Key, error) {
	key := new(Key)
	if err := c.Request(ctx, method, path, body, key, idempotencyKey); err != nil {
		return nil, err
	}
	return key, nil
}

func keyPath(id string) string { return "/v1/keys/" + url.PathEscape(id) }
