# cr: build, test and measure. `make help` lists the targets.
#
# LUA chooses the interpreter (lua5.4, lua5.3, lua5.1, luajit); what is built for it goes to
# build/$(LUA)/. Every target installs the Debian packages it misses with apt-get (tools/need).

LUA ?= lua5.4
CC ?= cc
CFLAGS ?= -O2 -g
VARIANT ?=
BUILD := build/$(VARIANT)$(LUA)

# The build for AddressSanitizer and UndefinedBehaviorSanitizer: `make asan`.
ifeq ($(VARIANT),asan-)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS := -O1 -g -fno-omit-frame-pointer $(SANITIZE)
LDFLAGS := $(SANITIZE)
endif
# The same for ThreadSanitizer: `make tsan`.
ifeq ($(VARIANT),tsan-)
SANITIZE := -fsanitize=thread
CFLAGS := -O1 -g -fno-omit-frame-pointer $(SANITIZE)
LDFLAGS := $(SANITIZE)
endif
TEST_LUAS ?= lua5.4 lua5.1 luajit

LUA_INCLUDE := /usr/include/$(if $(filter luajit,$(LUA)),luajit-2.1,$(LUA))
LUA_PACKAGES := $(if $(filter luajit,$(LUA)),luajit2|luajit libluajit2-5.1-dev|libluajit-5.1-dev,\
	$(LUA) lib$(LUA)-$(if $(filter lua5.1,$(LUA)),0-)dev)

BUILD_PACKAGES := gcc libc6-dev libcurl4-openssl-dev libssl-dev lua-cjson lua-argparse \
	$(LUA_PACKAGES)
EMULATOR_PACKAGES := nginx-light libnginx-mod-http-lua lua-cjson openssl
TEST_PACKAGES := $(EMULATOR_PACKAGES) lua5.4 liblua5.4-dev lua5.1 liblua5.1-0-dev luajit2|luajit \
	libluajit2-5.1-dev|libluajit-5.1-dev lua-busted lua-socket curl luarocks tmux \
	lua-resty-core lua-resty-lrucache lua-nginx-redis redis-server wrk \
	docker-registry skopeo
LINT_PACKAGES := clang clang-format clang-tidy cppcheck lua-check binutils git
FUZZ_PACKAGES := clang libclang-rt-dev|libclang-rt-14-dev lua5.4 liblua5.4-dev lua-cjson \
	libcurl4-openssl-dev libssl-dev
BENCH_PACKAGES := $(EMULATOR_PACKAGES) linux-perf wrk curl luajit2|luajit \
	libluajit2-5.1-dev|libluajit-5.1-dev lua-socket lua-resty-core lua-resty-lrucache

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wvla -Werror
ALL_CPPFLAGS := -D_POSIX_C_SOURCE=200809L -I$(LUA_INCLUDE) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS)

# A package with alternatives has a | in it.
quoted = $(foreach package,$(1),'$(package)')

SOURCES := $(wildcard src/core/*.c src/binding/*.c)
HEADERS := $(wildcard src/core/*.h src/binding/*.h)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
MODULE := $(BUILD)/cr/core.so
COMMAND := $(BUILD)/bin/cr

.PHONY: all
all: build-packages ## Build for $(LUA)
	@$(MAKE) -s $(MODULE) $(COMMAND)

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -o $@ $^ -lcurl -lcrypto

$(BUILD)/%.o: src/%.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# The command line under the interpreter it was built for.
COMPILED := $(shell find src/cr -name '*.lua' ! -path 'src/cr/emulator/*')
$(COMMAND): tools/compile Makefile $(COMPILED)
	@$(LUA) tools/compile $(LUA) $(BUILD)

.PHONY: build-packages emulator-packages test-packages lint-packages bench-packages fuzz-packages
build-packages:
	@tools/need $(call quoted,$(BUILD_PACKAGES))
emulator-packages:
	@tools/need $(EMULATOR_PACKAGES)
test-packages:
	@tools/need $(call quoted,$(TEST_PACKAGES))
lint-packages:
	@tools/need $(LINT_PACKAGES)
bench-packages:
	@tools/need $(call quoted,$(BENCH_PACKAGES))

fuzz-packages:
	@tools/need $(call quoted,$(FUZZ_PACKAGES))

.PHONY: env
env: ## Print the exports with which $(LUA) finds cr: eval "$$(make -s env)"
	@$(MAKE) -s all >&2
	@echo 'export LUA_PATH="$(CURDIR)/src/?.lua;$(CURDIR)/src/?/init.lua;$${LUA_PATH:-;}"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(BUILD)/?.so;$${LUA_CPATH:-;}"'
	@echo 'export PATH="$(CURDIR)/$(BUILD)/bin:$$PATH"'

.PHONY: demo
demo: emulator-packages all ## Describe an image tag, over real HTTP, from the emulator
	@eval "$$($(MAKE) -s env)" && \
		CR_BIN=$(COMMAND) tools/with-emulator $(LUA) examples/get_repo_tag.lua

.PHONY: emulator
emulator: emulator-packages all ## Run the emulator in the foreground (PORT=… to choose its port)
	@exec $(COMMAND) emulator $(if $(PORT),--port $(PORT)) $(EMULATOR_ARGS)

.PHONY: test
test: test-packages ## Every spec under Lua 5.4, Lua 5.1 and LuaJIT
	@tools/test $(TEST_LUAS)

# The suite again under other eyes. Leaks are valgrind's part: interpreters keep theirs on purpose.
.PHONY: asan
asan: test-packages ## The specs with AddressSanitizer and UndefinedBehaviorSanitizer
	@VARIANT=asan- TEST_ENV="LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) \
		ASAN_OPTIONS=detect_leaks=0" tools/test $(LUA)

# Under eyes that slow them down: not the specs of programs that run outside of them anyway, nor the
# tables of faults and of pages and what only reads files; `make asan` has all.
INNER_SPECS := $(filter-out spec/emulator_% spec/nginx_% spec/command_% spec/example% \
	spec/packaging_% spec/many_clients_% spec/readme_% spec/pag% spec/types_% spec/reference_% \
	spec/generated_%,$(wildcard spec/*_spec.lua))
.PHONY: valgrind
valgrind: test-packages ## The specs under valgrind's memcheck, leaks included
	@tools/need valgrind
	@SUITE=valgrind SPECS='$(INNER_SPECS)' \
		WRAP='valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite' \
		tools/test $(LUA)

.PHONY: gc-stress
gc-stress: test-packages ## The specs with a collector that never rests
	@SUITE=gc-stress SPECS='$(INNER_SPECS)' BUSTED_ARGS='--helper=spec/support/gc_stress.lua' \
		tools/test $(TEST_LUAS)

.PHONY: soak
soak: emulator-packages all ## CALLS (300000) calls with random faults; SEED repeats a run
	@eval "$$($(MAKE) -s env)" && CR_BIN=$(COMMAND) tools/with-emulator \
		$(LUA) soak/soak.lua $(or $(CALLS),300000) $(SEED)

# Programs with failing allocators, and with threads, around the objects of a sanitized build.
OOM_COMMON := $(addprefix $(BUILD)/fuzz/,oom_allocator.o oom_server.o oom_trials.o)
OOM_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free,--wrap=mmap
LUA_LIBRARY := $(if $(filter luajit,$(LUA)),-lluajit-5.1,-l$(LUA))
HOST_ENV := LUA_PATH="src/?.lua;src/?/init.lua;;"

$(BUILD)/fuzz/%.o: fuzz/%.c $(wildcard fuzz/*.h) $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/fuzz/oom_core: $(BUILD)/fuzz/oom_core.o $(OOM_COMMON) $(filter $(BUILD)/core/%,$(OBJECTS))
	$(CC) $(LDFLAGS) $(OOM_WRAP) -Wl,--wrap=curl_global_init -o $@ $^ -lcurl -lcrypto -pthread
$(BUILD)/fuzz/oom_call: $(BUILD)/fuzz/oom_call.o $(OOM_COMMON) $(OBJECTS)
	$(CC) $(LDFLAGS) $(OOM_WRAP) -o $@ $^ $(LUA_LIBRARY) -lcurl -lcrypto -lm -pthread
$(BUILD)/fuzz/threads: $(BUILD)/fuzz/threads.o $(BUILD)/fuzz/oom_server.o $(OBJECTS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LUA_LIBRARY) -lcurl -lcrypto -lm -pthread

# Of the thousands of allocations of OpenSSL's start and of Lua's loading every OOM_STRIDE-th fails.
OOM_STRIDE ?= 31
OOM_ENV = $(HOST_ENV) LSAN_OPTIONS=suppressions=fuzz/oom.supp OOM_STRIDE=$(OOM_STRIDE)
.PHONY: torture torture-programs
torture: emulator-packages all ## Every allocation fails once, or from there on (all: OOM_STRIDE=1)
	@CR_BIN=$(COMMAND) $(MAKE) -s torture-programs VARIANT=asan-
torture-programs: $(BUILD)/fuzz/oom_core $(BUILD)/fuzz/oom_call
	OOM_STRIDE=$(OOM_STRIDE) $(BUILD)/fuzz/oom_core
	$(OOM_ENV) $(BUILD)/fuzz/oom_call
	$(OOM_ENV) tools/with-emulator $(BUILD)/fuzz/oom_call TLS

# ThreadSanitizer of older compilers does not know the addresses that newer kernels give away.
FIXED_ADDRESSES = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: tsan tsan-programs
tsan: build-packages ## Lua states in threads, with ThreadSanitizer
	@$(MAKE) -s tsan-programs VARIANT=tsan-
tsan-programs: THREADS = $(HOST_ENV) TSAN_OPTIONS=atexit_sleep_ms=100 $(FIXED_ADDRESSES) \
	$(BUILD)/fuzz/threads
tsan-programs: $(BUILD)/fuzz/threads
	for run in 1 2 3 4 5; do $(THREADS) 8 3 && $(THREADS) 2 3 || exit; done
	$(THREADS) 2 400
	$(THREADS) 8 100

# libFuzzer targets, one per fuzz/*.c, over the core and the binding with both sanitizers.
FUZZ_SECONDS ?= 10
FUZZ_BUILD := build/fuzz
FUZZ_TARGETS := $(filter-out support threads oom_%,$(patsubst fuzz/%.c,%,$(wildcard fuzz/*.c)))
FUZZ_TARGET ?= $(FUZZ_TARGETS)
FUZZ_OBJECTS := $(SOURCES:%.c=$(FUZZ_BUILD)/%.o) $(FUZZ_BUILD)/fuzz/support.o
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
FUZZ_CC = clang -std=c11 $(FUZZ_CFLAGS) -D_POSIX_C_SOURCE=200809L -I/usr/include/lua5.4

.PHONY: fuzz fuzz-targets
fuzz: fuzz-packages ## Fuzz every target for FUZZ_SECONDS (10) each; FUZZ_TARGET=… for some
	@$(MAKE) -s -j2 fuzz-targets
	@FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run $(FUZZ_TARGET)
fuzz-targets: $(FUZZ_TARGET:%=$(FUZZ_BUILD)/%)
.SECONDARY: $(FUZZ_OBJECTS) $(FUZZ_TARGETS:%=$(FUZZ_BUILD)/fuzz/%.o)

$(FUZZ_BUILD)/%.o: %.c $(HEADERS) fuzz/support.h Makefile
	@mkdir -p $(@D)
	$(FUZZ_CC) $(WARNINGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

$(FUZZ_BUILD)/%: $(FUZZ_BUILD)/fuzz/%.o $(FUZZ_OBJECTS)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -Wl,--wrap=malloc -o $@ $^ -lcurl -lcrypto -llua5.4

.PHONY: lint
lint: test-packages lint-packages all ## Every static gate
	@tools/lint

.PHONY: bench
bench: bench-packages all ## Ratios against baselines of the same run
	@bench/run

.PHONY: generate
generate: build-packages ## Write the generated files anew
	$(LUA) api/generate.lua

.PHONY: clean
clean: ## Remove build/
	rm -rf build cr src/core/*.o src/binding/*.o # what luarocks leaves, too

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		awk -F'\t' '{ gsub(/\$$\$$/, "$$"); printf "  make %-10s %s\n", $$1, $$2 }'
