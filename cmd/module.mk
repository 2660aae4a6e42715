# SPDX-License-Identifier: MIT
# The `quire` command: build/bin/quire.  Everything but main.c is also in
# build/cmd/libcmd.a, for its tests and for the fuzz targets.

CMD_SRC := $(wildcard cmd/*.c)
CMD_OBJ := $(CMD_SRC:cmd/%.c=$(B)/cmd/%.o)
CMD_CFLAGS := -std=c17 $(WARN) -O2 -g -MMD -MP -I. -Iinclude \
	-DQUIRE_VERSION='"$(VERSION)"'

$(B)/cmd/%.o: cmd/%.c VERSION
	@mkdir -p $(@D)
	$(Q)$(CC) $(CMD_CFLAGS) -c $< -o $@
$(B)/cmd/libcmd.a: $(filter-out $(B)/cmd/main.o,$(CMD_OBJ))
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/bin/quire: $(B)/cmd/main.o $(B)/cmd/libcmd.a
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^
-include $(CMD_OBJ:.o=.d)

ALL_TARGETS += $(B)/bin/quire
