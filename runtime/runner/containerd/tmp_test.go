package containerd
import (
 "context";"fmt";"testing";"time";"slices"
 "github.com/containerd/containerd/v2/client"
 "github.com/containerd/containerd/v2/pkg/cio"
 "github.com/containerd/containerd/v2/core/containers"
 "github.com/containerd/containerd/v2/pkg/oci"
 "github.com/opencontainers/runtime-spec/specs-go"
)
func TestVariants(t *testing.T){
 h:=harness(t); r:=open(t); ctx:=r.in(context.Background())
 r.Prepare(ctx,h.Spec(t,"run"),nil)
 img,_:=r.image(ctx,engine.image)
 noSec:=func(_ context.Context,_ oci.Client,_ *containers.Container,s *oci.Spec) error { s.Linux.Seccomp=nil; return nil}
 noCg:=func(_ context.Context,_ oci.Client,_ *containers.Container,s *oci.Spec) error { s.Mounts=slices.DeleteFunc(s.Mounts,func(m specs.Mount)bool{return m.Type=="cgroup"}); return nil}
 noEtc:=func(_ context.Context,_ oci.Client,_ *containers.Container,s *oci.Spec) error { s.Mounts=slices.DeleteFunc(s.Mounts,func(m specs.Mount)bool{return m.Type=="bind"}); return nil}
 noRes:=func(_ context.Context,_ oci.Client,_ *containers.Container,s *oci.Spec) error { s.Linux.Resources.CPU=nil; s.Linux.Resources.Memory=nil; s.Linux.Resources.Pids=nil; return nil}
 hostnet:=func(_ context.Context,_ oci.Client,_ *containers.Container,s *oci.Spec) error { s.Linux.Namespaces=append(s.Linux.Namespaces,specs.LinuxNamespace{Type:specs.NetworkNamespace}); return nil}
 names:=[]string{"raw","ours","noSec","noCg","noEtc","noRes","privnet","noSec+noCg"}
 ex:=map[string][]oci.SpecOpts{"ours":nil,"noSec":{noSec},"noCg":{noCg},"noEtc":{noEtc},"noRes":{noRes},"privnet":{hostnet},"noSec+noCg":{noSec,noCg}}
 tm:=map[string][]time.Duration{}
 tn:=map[string][]time.Duration{}
 for i:=0;i<25;i++ { for _,n:=range names {
   spec:=h.Spec(t,"run"); id:=fmt.Sprintf("v-%d-%s",i,identifier(n)); b:=time.Now()
   if n=="raw" { rm,err:=rawStart(ctx,r,id,spec.Log); if err!=nil{t.Fatal(err)}; tm[n]=append(tm[n],time.Since(b)); rm(); continue }
   c,err:=r.client.NewContainer(ctx,id,client.WithImageName(engine.image),client.WithSnapshotter("overlayfs"),r.withSnapshot(id,img.parent),client.WithRuntime(runtimeName,r.runcOptions()),client.WithNewSpec(append(r.specOptions(spec,img),ex[n]...)...))
   if err!=nil{t.Fatal(err)}
   d1:=time.Since(b)
   task,err:=c.NewTask(ctx,cio.LogFile(spec.Log)); if err!=nil{t.Fatal(err)}
   d2:=time.Since(b)
   if err:=task.Start(ctx);err!=nil{t.Fatal(err)}
   d3:=time.Since(b)
   tm[n]=append(tm[n],d3)
   if n=="ours" {tn["create"]=append(tn["create"],d1); tn["newtask"]=append(tn["newtask"],d2-d1); tn["start"]=append(tn["start"],d3-d2)}
   task.Delete(ctx,client.WithProcessKill); c.Delete(ctx,client.WithSnapshotCleanup)
 }}
 for _,n:=range names { m:=median(tm[n]); fmt.Printf("%-12s med %v min %v\n",n,m,tm[n][0]) }
 for n,d:=range tn { fmt.Println(n,median(d),d[0]) }
}
