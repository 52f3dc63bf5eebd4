# cr: build, test and measure. `make help` lists the targets.
#
# LUA chooses the interpreter (lua5.4, lua5.3, lua5.1, luajit); everything built for it goes to
# build/$(LUA)/. Targets that need packages install what is missing with apt-get first.

LUA ?= lua5.4
CC ?= cc
CFLAGS ?= -O2 -g
BUILD ?= build/$(LUA)

ifeq ($(LUA),luajit)
LUA_INCLUDE := /usr/include/luajit-2.1
else
LUA_INCLUDE := /usr/include/$(LUA)
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wvla -Werror
CPPFLAGS += -D_POSIX_C_SOURCE=200809L -I$(LUA_INCLUDE)
ALL_CFLAGS := -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS)

CORE := $(wildcard src/core/*.c)
BINDING := $(wildcard src/binding/*.c)
HEADERS := $(wildcard src/core/*.h src/binding/*.h)
OBJECTS := $(patsubst src/%.c,$(BUILD)/%.o,$(CORE) $(BINDING))
MODULE := $(BUILD)/cr/core.so

.PHONY: all
all: $(MODULE) $(BUILD)/bin/cr

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -o $@ $^ -lcurl -lcrypto

$(BUILD)/%.o: src/%.c $(HEADERS) | deps-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# The command line under the interpreter it was built for.
$(BUILD)/bin/cr: bin/cr Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec $(LUA) "%s/bin/cr" "$$@"\n' "$(CURDIR)" > $@
	@chmod +x $@

.PHONY: deps-build
deps-build:
	@true
