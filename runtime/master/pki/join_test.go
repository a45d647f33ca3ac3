package pki

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestToken(t *testing.T) {
	a := open(t, t.TempDir())
	token := a.NewToken()
	got, err := ParseToken(" " + token.String() + "\n")
	if err != nil || got != token {
		t.Errorf("got %v, %v", got, err)
	}
	if token.Secret == a.NewToken().Secret {
		t.Error("two tokens have one secret")
	}
	for _, bad := range []string{"", "x", "universe2." + token.Secret + ".AA", "universe1.." + "AA", token.String() + ".x", token.String()[:60]} {
		if _, err := ParseToken(bad); err == nil {
			t.Errorf("%q was taken", bad)
		} else if len(bad) > 20 && strings.Contains(err.Error(), token.Secret) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestSign_takesNothingButTheKey(t *testing.T) {
	a := open(t, t.TempDir())
	request, key, err := NewRequest("liar")
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.Sign(request, "a1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := Pair{Cert: text, Key: key}.TLS()
	if err != nil {
		t.Fatal(err)
	}
	if leaf := cert.Leaf; leaf.Subject.CommonName != "a1" || leaf.IsCA || len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != AgentName("a1") || len(leaf.IPAddresses) != 0 {
		t.Errorf("got a certificate of %v %v", leaf.Subject, leaf.DNSNames)
	}
	serverErr, clientErr, peer := handshake(t, MasterServer(masterCert(t, a), a.Pool()), AgentClient(cert, a.Pool()))
	if serverErr != nil || clientErr != nil || peer != "a1" {
		t.Errorf("%v %v %q", serverErr, clientErr, peer)
	}
	if _, err := a.Sign(request, MasterName); err == nil {
		t.Error("an agent got the master's name")
	}
}

func TestSign_refuses(t *testing.T) {
	a := open(t, t.TempDir())
	good, _, err := NewRequest("a1")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	broken := append([]byte(nil), block.Bytes...)
	broken[len(broken)-1] ^= 1
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr := func(key any) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	}
	for name, request := range map[string][]byte{
		"nothing":              nil,
		"a certificate":        a.CertPEM(),
		"two":                  append(append([]byte(nil), good...), good...),
		"a broken signature":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: broken}),
		"too large":            append(append([]byte(nil), good...), make([]byte, MaxRequest)...),
		"an RSA key":           csr(weak),
		"a curve of no member": csr(odd),
	} {
		if _, err := a.Sign(request, "a1"); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

// TestKeeper lives through three lives of a certificate, while the master does
// not answer for a day and answers wrongly once.
func TestKeeper(t *testing.T) {
	a := open(t, t.TempDir())
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		request, key, err := NewRequest("a1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := a.Sign(request, "a1")
		if err != nil {
			t.Fatal(err)
		}
		if err := (Pair{Cert: text, Key: key}).Save(dir, "agent"); err != nil {
			t.Fatal(err)
		}
		k, err := NewKeeper(filepath.Join(dir, "agent.crt"), filepath.Join(dir, "agent.key"), "https://master", a.Pool(), nil)
		if err != nil {
			t.Fatal(err)
		}
		first, began, asked := k.Expires(), time.Now(), 0
		k.renew = func(_ context.Context, request []byte) ([]byte, error) {
			switch asked++; {
			case time.Since(began) < 21*24*time.Hour:
				return nil, errors.New("the master is away")
			case asked%7 == 0:
				return a.Sign(request, "a2")
			}
			return a.Sign(request, "a1")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*AgentLife)
		defer cancel()
		if err := k.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
		if got := k.Expires(); got.Sub(first) < 2*AgentLife || asked < 20 || asked > 60 {
			t.Errorf("it expires %s after the first; asked %d times", got.Sub(first), asked)
		}
		onDisk, err := Load(dir, "agent")
		if err != nil {
			t.Fatal(err)
		}
		cert, err := onDisk.TLS()
		if err != nil || !cert.Leaf.NotAfter.Equal(k.Expires()) {
			t.Errorf("on disk: %v, %v", cert.Leaf, err)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}
