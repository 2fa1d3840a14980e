# Everything a person or a machine runs here. Building needs cargo and a C compiler; the rest needs root and
# Debian's packages, which the targets install themselves when they are missing.

CARGO ?= cargo
NAME ?= lab

.NOTPARALLEL:

.PHONY: help build demo test test-pure test-kernel test-e2e check fmt clippy tidy deny bench clean-lab root packages-demo packages-test packages-bench

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## Build the static release binary and print its path
	@$(CARGO) xtask dist

demo: root packages-demo ## Show a cluster of five hosts on this machine, and leave it up
	@$(CARGO) xtask demo --name $(NAME)

clean-lab: root ## Take down what `make demo` left up
	@"$$($(CARGO) xtask dist)" lab down --name $(NAME)

check: fmt clippy tidy test-pure ## What to run before a commit; no root

test: root packages-test fmt clippy test-kernel test-e2e ## Run every test; needs root

bench: root packages-bench ## Compare with Docker on this machine
	@$(CARGO) xtask bench start
	@$(CARGO) xtask bench container

deny: ## Check licences and advisories of what is built in; needs cargo-deny and the network
	$(CARGO) deny check

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

tidy:
	@$(CARGO) xtask tidy

# Decisions only: no kernel, no network, no root.
test-pure:
	$(CARGO) test --locked --quiet -p model -p store -p orchestrator -p allocator -p scheduler -p testkit -p wire -p engine-json

# Every crate on the real kernel; `xtask` has the laws among its tests.
test-kernel: root
	$(CARGO) test --locked --workspace --exclude tests --lib --bins --tests --no-fail-fast

# Stories of users, told on labs of the release binary, with images of real servers.
test-e2e: root
	@$(CARGO) xtask image >/dev/null
	DROVER_BIN="$$($(CARGO) xtask dist --quick)" $(CARGO) test --locked -p tests --no-fail-fast

root:
	@test "$$(id -u)" = 0 || { echo "error: this makes network namespaces, mounts and containers, which only root may: run it as root" >&2; exit 1; }

packages-demo:
	@./deploy/packages.sh cc=build-essential ip=iproute2 curl=curl

packages-test:
	@./deploy/packages.sh cc=build-essential ip=iproute2 nft=nftables curl=curl ps=procps busybox-static \
		docker-registry=docker-registry skopeo=skopeo docker=docker.io mmdebstrap=mmdebstrap \
		openssl=openssl htpasswd=apache2-utils

packages-bench:
	@./deploy/packages.sh cc=build-essential ip=iproute2 unshare=util-linux dockerd=docker.io containerd=containerd runc=runc \
		mmdebstrap=mmdebstrap busybox-static docker-registry=docker-registry skopeo=skopeo
