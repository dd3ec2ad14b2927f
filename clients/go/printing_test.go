package keyward

import (
	"fmt"
	"strings"
	"testing"
)

func Test_nothing_that_is_printed_shows_a_key(t *testing.T) {
	config := Config{URL: "http://keyward", ManagementKey: secret}
	client, err := NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	question, key := Question{Key: secret, Resource: "project:alpha"}, Key{ID: "key_1", Key: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		for _, value := range []any{client, config, &config, question, &question, key, &key, []Key{key}, map[string]any{"it": key}} {
			if shown := fmt.Sprintf(verb, value); strings.Contains(shown, secret) {
				t.Error(verb, shown)
			}
		}
	}
	equal(t, "the rest is shown", strings.Contains(fmt.Sprint(question, key), "project:alpha"), true)
	equal(t, "the id is shown", strings.Contains(fmt.Sprint(key), "key_1"), true)
}
