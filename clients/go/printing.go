package keyward

import "fmt"

// Printed by %v, %+v or %#v, a struct shows its fields, and so a key in a log.

const mask = "[redacted]"

// Format prints the client without its management key.
func (c *Client) Format(out fmt.State, _ rune) { fmt.Fprintf(out, "keyward.Client{%s}", c.url) }

// Format prints the configuration without its management key.
func (c Config) Format(out fmt.State, _ rune) {
	fmt.Fprintf(out, "keyward.Config{URL:%s Timeout:%s}", c.URL, c.Timeout)
}

// Format prints the question without its key.
func (q Question) Format(out fmt.State, _ rune) {
	type fields Question
	shown := fields(q)
	shown.Key = mask
	fmt.Fprintf(out, "%+v", shown)
}

// Format prints the key without its string.
func (k Key) Format(out fmt.State, _ rune) {
	type fields Key
	shown := fields(k)
	if shown.Key != "" {
		shown.Key = mask
	}
	fmt.Fprintf(out, "%+v", shown)
}
