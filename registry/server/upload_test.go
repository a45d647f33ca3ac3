package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/registry/server"
)

// long is more than MaxInlineBlobBytes.
var long = strings.Repeat("0123456789abcdef", 3000)

func TestUpload_ways(t *testing.T) {
	ways := map[string]func(a api, text string, d digest.Digest) reply{
		"single POST": func(a api, text string, d digest.Digest) reply {
			return a.want(http.StatusCreated, "", "POST", uploads+"?digest="+d.String(), text)
		},
		"POST and PUT": func(a api, text string, d digest.Digest) reply {
			return a.want(http.StatusCreated, "", "PUT", a.start()+"?digest="+d.String(), text)
		},
		"POST for the algorithm and PUT": func(a api, text string, d digest.Digest) reply {
			r := a.want(http.StatusAccepted, "", "POST", uploads+"?digest-algorithm="+d.Algorithm().String(), "")
			return a.want(http.StatusCreated, "", "PUT", r.header.Get("Location")+"?digest="+d.String(), text)
		},
		"streamed PATCH": func(a api, text string, d digest.Digest) reply {
			r := a.want(http.StatusAccepted, "", "PATCH", a.start(), text, "Transfer-Encoding", "chunked")
			return a.want(http.StatusCreated, "", "PUT", r.header.Get("Location")+"?digest="+d.String(), "")
		},
		"streamed PUT": func(a api, text string, d digest.Digest) reply {
			return a.want(http.StatusCreated, "", "PUT", a.start()+"?digest="+d.String(), text, "Transfer-Encoding", "chunked")
		},
		"chunks, the last by PUT": func(a api, text string, d digest.Digest) reply {
			loc, n := a.start(), len(text)/3
			for i := range 2 {
				r := a.want(http.StatusAccepted, "", "PATCH", loc, text[i*n:(i+1)*n], "Content-Range", fmt.Sprintf("%d-%d", i*n, (i+1)*n-1))
				r.wantHeader(a.t, "Range", fmt.Sprintf("0-%d", (i+1)*n-1))
				loc = r.header.Get("Location")
			}
			return a.want(http.StatusCreated, "", "PUT", loc+"?digest="+d.String(), text[2*n:], "Content-Range", fmt.Sprintf("%d-%d", 2*n, len(text)-1))
		},
	}
	for name, upload := range ways {
		for _, text := range []string{"small", long} {
			for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
				t.Run(fmt.Sprintf("%s/%d bytes/%s", name, len(text), alg), func(t *testing.T) {
					a := newAPI(t, server.Options{})
					d := alg.FromString(text)
					a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(d), "")
					r := upload(a, text, d)
					r.wantHeader(t, "Location", blobURL(d))
					r.wantHeader(t, "Docker-Content-Digest", d.String())
					got := a.want(http.StatusOK, "", "GET", blobURL(d), "")
					if got.body != text {
						t.Error("GET gives other content")
					}
					got.wantHeader(t, "Docker-Content-Digest", d.String())
				})
			}
		}
	}
}

func TestUpload_emptyBlob(t *testing.T) {
	a := newAPI(t, server.Options{})
	d := digest.FromString("")
	a.want(http.StatusCreated, "", "PUT", a.start()+"?digest="+d.String(), "")
	a.want(http.StatusOK, "", "HEAD", blobURL(d), "").wantHeader(t, "Content-Length", "0")
	other := digest.SHA512.FromString("")
	a.want(http.StatusCreated, "", "POST", uploads+"?digest="+other.String(), "")
	a.want(http.StatusOK, "", "GET", blobURL(other), "")
}

func TestUpload_chunkRules(t *testing.T) {
	a := newAPI(t, server.Options{})
	loc := a.start()
	a.want(http.StatusAccepted, "", "PATCH", loc, "01234", "Content-Range", "0-4")
	for _, c := range []struct {
		contentRange, body, code string
		status                   int
	}{
		{"0-4", "01234", "BLOB_UPLOAD_INVALID", 416}, // again
		{"7-8", "78", "BLOB_UPLOAD_INVALID", 416},    // skips
		{"5-9", "567", "SIZE_INVALID", 400},
		{"5-4", "", "BLOB_UPLOAD_INVALID", 400},
		{"bytes 5-9/10", "56789", "BLOB_UPLOAD_INVALID", 400},
		{"5-9999999999999999999", "56789", "BLOB_UPLOAD_INVALID", 400},
	} {
		r := a.want(c.status, c.code, "PATCH", loc, c.body, "Content-Range", c.contentRange)
		if c.status == http.StatusRequestedRangeNotSatisfiable {
			r.wantHeader(t, "Range", "0-4")
			r.wantHeader(t, "Location", loc)
		}
	}
	r := a.want(http.StatusNoContent, "", "GET", loc, "")
	r.wantHeader(t, "Range", "0-4")
	r.wantHeader(t, "Location", loc)
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+digest.FromString("0123456789").String(), "56789")
	a.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", loc, "x")
}

// A stream that turns out shorter than its Content-Range keeps what came.
func TestUpload_shortStreamIsKept(t *testing.T) {
	a := newAPI(t, server.Options{})
	loc := a.start()
	a.want(http.StatusBadRequest, "SIZE_INVALID", "PATCH", loc, "01234", "Content-Range", "0-9", "Transfer-Encoding", "chunked")
	a.want(http.StatusNoContent, "", "GET", loc, "").wantHeader(t, "Range", "0-4")
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+digest.FromString("01234").String(), "")
}

func TestUpload_wrongDigestLeavesTheSession(t *testing.T) {
	for _, text := range []string{"small", long} {
		a := newAPI(t, server.Options{})
		good, bad := digest.FromString(text), digest.FromString("other")
		loc := a.start()
		a.want(http.StatusBadRequest, "DIGEST_INVALID", "PUT", loc+"?digest="+bad.String(), text)
		a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(bad), "")
		a.want(http.StatusCreated, "", "PUT", loc+"?digest="+good.String(), text)

		loc = a.start()
		a.want(http.StatusAccepted, "", "PATCH", loc, text)
		a.want(http.StatusBadRequest, "DIGEST_INVALID", "PUT", loc+"?digest="+bad.String(), "and more")
		a.want(http.StatusBadRequest, "DIGEST_INVALID", "PUT", loc+"?digest=md5:x", "")
		a.want(http.StatusBadRequest, "DIGEST_INVALID", "PUT", loc, "")
		a.want(http.StatusCreated, "", "PUT", loc+"?digest="+good.String(), "")
		if got := a.want(http.StatusOK, "", "GET", blobURL(good), ""); got.body != text {
			t.Errorf("blob of %d bytes has other content after a retry", len(text))
		}
	}
}

func TestUpload_sessionBelongsToItsRepository(t *testing.T) {
	a := newAPI(t, server.Options{})
	loc := a.start()
	id := loc[strings.LastIndex(loc, "/")+1:]
	for _, l := range []string{
		"/v2/other/blobs/uploads/" + id, uploads + "x", uploads + "..", uploads + strings.Replace(id, "-", "x", 1),
		uploads + strings.Repeat("0", 32) + id[32:],
	} {
		a.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", l, "x")
	}
	a.want(http.StatusNoContent, "", "DELETE", loc, "")
	a.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "GET", loc, "")
	a.want(http.StatusBadRequest, "DIGEST_INVALID", "POST", uploads+"?digest-algorithm=md5", "")
}

func TestBlob_ranges(t *testing.T) {
	a := newAPI(t, server.Options{})
	for _, text := range []string{"0123456789", long} {
		d := a.push(text)
		n := len(text)
		for _, c := range []struct {
			header, want string
			status       int
		}{
			{"bytes=2-5", text[2:6], 206}, {"bytes=7-", text[7:], 206}, {"bytes=-3", text[n-3:], 206},
			{fmt.Sprintf("bytes=5-%d", n+100), text[5:], 206}, {fmt.Sprintf("bytes=%d-", n), "", 416}, {"lines=1-2", "", 416},
		} {
			r := a.call("GET", blobURL(d), "", "Range", c.header)
			if r.status != c.status || (c.status == 206 && r.body != c.want) {
				t.Errorf("Range %s = %d %q, want %d %q", c.header, r.status, r.body, c.status, c.want)
			}
		}
		a.call("GET", blobURL(d), "", "Range", fmt.Sprintf("bytes=%d-", n)).wantHeader(t, "Content-Range", fmt.Sprintf("bytes */%d", n))
		head, get := a.want(200, "", "HEAD", blobURL(d), ""), a.want(200, "", "GET", blobURL(d), "")
		for _, h := range []string{"Content-Length", "Content-Type", "Docker-Content-Digest", "Accept-Ranges", "ETag"} {
			if v := get.header.Get(h); v == "" || head.header.Get(h) != v {
				t.Errorf("header %s: GET %q, HEAD %q", h, v, head.header.Get(h))
			}
		}
	}
	a.want(http.StatusBadRequest, "DIGEST_INVALID", "GET", "/v2/"+repo+"/blobs/sha256:x", "")
}

func TestMount(t *testing.T) {
	private := "private/repo"
	a := newAPI(t, server.Options{Authorize: func(_ *http.Request, verb, repository string) error {
		if repository == private && verb == server.VerbPull {
			return errForbidden
		}
		return nil
	}})
	for _, text := range []string{"small", long} {
		d := a.push(text)
		for i, query := range []string{"&from=" + repo, "", "&from="} {
			target := fmt.Sprintf("/v2/target/n%d", i)
			r := a.want(http.StatusCreated, "", "POST", target+"/blobs/uploads/?mount="+d.String()+query, "")
			r.wantHeader(t, "Location", target+"/blobs/"+d.String())
			r.wantHeader(t, "Docker-Content-Digest", d.String())
			if got := a.want(200, "", "GET", target+"/blobs/"+d.String(), ""); got.body != text {
				t.Error("mounted blob has other content")
			}
		}
	}
	secret := digest.FromString("secret")
	a.want(http.StatusCreated, "", "POST", "/v2/"+private+"/blobs/uploads/?digest="+secret.String(), "secret")
	for _, query := range []string{
		"?mount=" + secret.String() + "&from=" + private, "?mount=" + secret.String(), // no right to read it there
		"?mount=" + digest.FromString("absent").String() + "&from=" + repo,
		"?mount=" + secret.String() + "&from=No/../Name",
	} {
		r := a.want(http.StatusAccepted, "", "POST", uploads+query, "")
		if !strings.HasPrefix(r.header.Get("Location"), uploads) {
			t.Errorf("POST %s gives no session but %q", query, r.header.Get("Location"))
		}
	}
	a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(secret), "")
}

func TestDeleteBlob_inOneRepositoryOnly(t *testing.T) {
	a := newAPI(t, server.Options{})
	for _, text := range []string{"small", long} {
		d := a.push(text)
		a.want(http.StatusCreated, "", "POST", "/v2/other/blobs/uploads/?mount="+d.String()+"&from="+repo, "")
		a.want(http.StatusAccepted, "", "DELETE", blobURL(d), "")
		a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(d), "")
		a.want(http.StatusNotFound, "", "HEAD", blobURL(d), "")
		a.want(http.StatusNotFound, "BLOB_UNKNOWN", "DELETE", blobURL(d), "")
		a.want(http.StatusOK, "", "GET", "/v2/other/blobs/"+d.String(), "")
		a.push(text)
		a.want(http.StatusOK, "", "GET", blobURL(d), "")
	}
}
