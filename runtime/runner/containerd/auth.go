package containerd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxAuthFile bounds a file of registry credentials, in bytes.
const maxAuthFile = 1 << 20

// authFile is a Docker config.json, of which only the credentials in the file
// itself are read: a helper program would run as root.
type authFile struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of "user:password"
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
}

// credentials gives what the file at path has for a registry; nothing when it
// has nothing. The file is read each time, so that it can be renewed.
func credentials(path, host string) (user, secret string, err error) {
	if path == "" {
		return "", "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "", fmt.Errorf("registry credentials: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthFile+1))
	if err != nil {
		return "", "", fmt.Errorf("registry credentials: %w", err)
	}
	if len(b) > maxAuthFile {
		return "", "", fmt.Errorf("registry credentials %s: over the limit of %d bytes", path, maxAuthFile)
	}
	var all authFile
	if err := json.Unmarshal(b, &all); err != nil {
		// Not the error itself: it may quote the file.
		return "", "", fmt.Errorf("registry credentials %s are not a Docker config.json", path)
	}
	for key, a := range all.Auths {
		if registryHost(key) != registryHost(host) {
			continue
		}
		if a.IdentityToken != "" {
			return "", a.IdentityToken, nil // the user is empty for a refresh token
		}
		if a.Auth == "" {
			return a.Username, a.Password, nil
		}
		plain, err := base64.StdEncoding.DecodeString(a.Auth)
		user, secret, ok := strings.Cut(string(plain), ":")
		if err != nil || !ok {
			return "", "", fmt.Errorf("registry credentials %s: the entry for %s is not base64 of user:password", path, registryHost(host))
		}
		return user, strings.TrimRight(secret, "\x00"), nil
	}
	return "", "", nil
}

// registryHost is the host of a key of the file, which may be a URL, or of a
// registry; Docker's own has several names.
func registryHost(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	host, _, _ := strings.Cut(key, "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}
