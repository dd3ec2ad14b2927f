package keyward

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// programs builds the programs of the README, each against this module.
func programs(t *testing.T, change func(string) string) []string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module := "module example\n\ngo 1.19\n\nrequire github.com/keyward/keyward/clients/go v0.0.0\n\n" +
		"replace github.com/keyward/keyward/clients/go => " + here + "\n"
	var built []string
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "go.mod"), module)
		write(t, filepath.Join(folder, "main.go"), change(string(block[1])))
		build := exec.Command("go", "build", "-o", "program", ".")
		build.Dir = folder
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		built = append(built, filepath.Join(folder, "program"))
	}
	return built
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func Test_the_programs_of_the_readme_work(t *testing.T) {
	service(t)
	address := freeAddress(t)
	built := programs(t, func(code string) string { return strings.Replace(code, "127.0.0.1:3000", address, 1) })
	equal(t, "programs", len(built), 2)

	output, err := exec.Command(built[1]).CombinedOutput()
	if err != nil || string(output) != "Hello customer_42\n" {
		t.Errorf("%v\n%s", err, output)
	}

	server := exec.Command(built[0])
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	key := newKey(t, NewKey{Scopes: []string{"orders:read"}})
	status, body := fetch(t, "http://"+address+"/orders", key.Key)
	equal(t, "with a key", []any{status, body}, []any{200, "Hello customer_42\n"})
	status, _ = fetch(t, "http://"+address+"/orders", "")
	equal(t, "without", status, 401)
}

// fetch waits until the program listens.
func fetch(t *testing.T, url, key string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", key)
	for end := time.Now().Add(20 * time.Second); ; {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			return response.StatusCode, string(body)
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
