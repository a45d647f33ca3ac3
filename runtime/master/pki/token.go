package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// tokenPrefix is the form of a token: a later one has another number.
const tokenPrefix = "universe1"

// Token is what an agent joins with: a secret of the master's, and the hash of
// the authority's certificate, so that the agent knows whom it gives the secret.
type Token struct {
	Secret    string            // 24 random bytes in base64url
	Authority [sha256.Size]byte // SHA-256 of the authority's certificate, DER
}

// NewToken mints a token of the authority. Whether it is still good, its master
// knows alone.
func (a *Authority) NewToken() Token {
	secret := make([]byte, 24)
	_, _ = rand.Read(secret) // never fails (crypto/rand since Go 1.24)
	return Token{Secret: base64.RawURLEncoding.EncodeToString(secret), Authority: sha256.Sum256(a.cert.Raw)}
}

// String is the token as it is given to people. It is a secret.
func (t Token) String() string {
	return tokenPrefix + "." + t.Secret + "." + base64.RawURLEncoding.EncodeToString(t.Authority[:])
}

var errToken = errors.New("the token is not whole: it has three parts between dots, the first of them " + tokenPrefix)

// ParseToken reads what String gave. Its error does not show the token.
func ParseToken(text string) (Token, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 3 || parts[0] != tokenPrefix {
		return Token{}, errToken
	}
	secret, err1 := base64.RawURLEncoding.DecodeString(parts[1])
	hash, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || len(secret) != 24 || len(hash) != sha256.Size {
		return Token{}, errToken
	}
	return Token{Secret: parts[1], Authority: [sha256.Size]byte(hash)}, nil
}
