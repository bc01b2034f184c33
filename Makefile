# make test is all of it: a fresh clone on Debian 12 with Go and make needs
# nothing else, if root runs it. What the targets fetch and build goes to
# .cache, which `make clean` removes.

GO          ?= go
VERSION     ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
FUZZTIME    ?= 30s
TESTFLAGS   ?=
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# What people get has no C in it; only the race detector does. With one setting everywhere, each package is compiled once for all but that.
export CGO_ENABLED := 0

.PHONY: test build lint deps vm fuzz bench files interop soak demo package install clean
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.0
SBOM        := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
PREFIX      ?= /usr/local
# Packages need a version that begins with a digit; that of a commit sorts before all others.
PACKAGED     = $(shell echo '$(VERSION)' | sed -E 's/^v//; /^[0-9]+\./!s/^/0~/')
ARCH        ?= $(shell $(GO) env GOARCH)

# The race detector is in the tests of all packages but cmd/keepc, and in the directors and verbs that the tests of cmd/keepc start as
# programs. These tests themselves read every file that there is, which takes twice as long with it; they come last and alone, because they
# are busy with both cores. Parallel tests wait most of the time, whatever the number of CPUs. lint has vetted already.
test: deps lint
	$(MAKE) --no-print-directory vm || [ "$$CI" != true ]
	KEEPC_RACE=1 GORACE=atexit_sleep_ms=100 $(GO) run .ci/report.go -p 2 -parallel 8 -count 1 -vet off -timeout 40m $(TESTFLAGS) -- \
		CGO_ENABLED=1 -race $$($(GO) list ./... | grep -v '/cmd/keepc$$') -- ./cmd/keepc

build:
	$(GO) build -trimpath -ldflags '-s -w -X main.stamp=$(VERSION)' -o .cache/bin/keepc ./cmd/keepc

lint:
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	GOOS=darwin $(GO) build -o /dev/null ./cmd/keepc
	$(GO) run $(STATICCHECK) ./...

# The Debian packages that tests compare with or are built by.
deps:
	.ci/deps

# The kernel and the initramfs of the lab's virtual machine.
vm: .cache/vm/initrd
.cache/vm/initrd: runtime/lab/vm/init runtime/lab/vm/image.sh
	runtime/lab/vm/image.sh .cache/vm

# Every fuzz target for FUZZTIME.
fuzz:
	.ci/fuzz $(FUZZTIME)

# Measurements, printed and never judged. KEEPC_ROUNDS=2 makes the gate short; KEEPC_GATE=reload,busy plays some of it.
bench: deps build
	KEEPC_BENCH=1 KEEPC_BIN=$(CURDIR)/.cache/bin/keepc $(GO) test -p 1 -run '^TestBench' -bench . -benchmem -v -timeout 90m ./...

# What run does with the files of real users that lie beside the project.
files:
	KEEPC_FILES=1 $(GO) test -count 1 -run '^TestFiles$$' -v ./cmd/keepc

# The timelines of testdata/sim, played by keepc alone, keepalived alone, and both mixed both ways, each held against simulate; and what both
# leave in the kernel for the files of the corpus with virtual servers, through failures and back; what takes minutes in the virtual machine.
interop: deps vm
	.ci/deps prometheus
	KEEPC_INTEROP=1 $(GO) test -count 1 -timeout 3h -run '^(TestTimelines|TestMatrix|TestSameTable|TestSameCheckers|TestHeldConnections|TestClientView|TestCheckWire|TestHashAlike|TestThreeDirectors|TestPackage|TestInstall|TestBFDWithKeepalived|TestBFDWithBIRD|TestAlertsFire)$$' -v ./cmd/keepc

# The tests that ask to run long, for an hour.
soak: vm
	KEEPC_SOAK=1h $(GO) test -run '^TestSoak' -v -timeout 90m ./...

# The tutorial, played in the virtual machine: check, plan, run, and what goes wrong.
demo: deps vm build
	$(GO) build -o .cache/bin/demo ./runtime/lab/demo
	$(GO) run ./runtime/lab/vm .cache/bin/demo $(CURDIR)/.cache/bin/keepc testdata/tutorial

# What packages have beside the program: man pages and completions.
.cache/package: build
	.cache/bin/keepc man .cache/package/man
	.cache/bin/keepc completion bash >.cache/package/keepc.bash
	.cache/bin/keepc completion zsh >.cache/package/_keepc
	.cache/bin/keepc completion fish >.cache/package/keepc.fish

# .deb and .rpm, in .cache/package, and a CycloneDX list of what is in the program. The same commit gives the same packages.
package: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
package: .cache/package
	rm -f .cache/package/*.deb .cache/package/*.rpm
	$(GO) run $(SBOM) bin -json -noserial -version "$(VERSION)" -output .cache/package/keepc.cdx.json .cache/bin/keepc
	VERSION=$(PACKAGED) ARCH=$(ARCH) $(GO) run $(NFPM) package -f .ci/package/nfpm.yaml -p deb -t .cache/package
	VERSION=$(PACKAGED) ARCH=$(ARCH) $(GO) run $(NFPM) package -f .ci/package/nfpm.yaml -p rpm -t .cache/package

install: .cache/package
	install -D -m 755 .cache/bin/keepc $(DESTDIR)$(PREFIX)/bin/keepc
	install -d $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 .cache/package/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	sed 's,/usr/bin/keepc,$(PREFIX)/bin/keepc,' .ci/package/keepc.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/keepc.service
	install -D -m 644 .cache/package/keepc.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/keepc

clean:
	rm -rf .cache
