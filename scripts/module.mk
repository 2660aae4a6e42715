# SPDX-License-Identifier: MIT
# Root directories of 32-bit ARM programs from Debian's packages:
# build/tour-ARCH for `make run`, build/debian-ARCH for the tests; NAME.made is
# there when it is whole.  Without a network the tests that need them fail,
# and the others run.
DEBIAN_PACKAGES := busybox-static libc6 libgcc-s1 bash coreutils grep sed \
	perl-base gzip xz-utils sqlite3 python3-minimal
$(B)/debian-%.made: scripts/debian.sh scripts/module.mk
	$(Q)if scripts/debian.sh $* root $(B)/debian-$* $(DEBIAN_PACKAGES); \
		then touch $@; fi
$(B)/tour-%.made: scripts/debian.sh examples/tour.sh LICENSE
	$(Q)scripts/debian.sh $* root $(B)/tour-$* busybox-static
	$(Q)mkdir -p $(B)/tour-$*/examples $(B)/tour-$*/usr/include
	$(Q)cp LICENSE $(B)/tour-$*
	$(Q)cp examples/tour.sh $(B)/tour-$*/examples
	$(Q)cp -r include/quire $(B)/tour-$*/usr/include
	$(Q)touch $@

SUITES += library
SUITE_library := scripts/check-lib.sh $(B)/lib/libquire.a
SUITE_DEPS_library := $(B)/lib/libquire.a

# The library for kernels of 32-bit ARM.
ifneq ($(filter armv%,$(CAN_BUILD)),)
SUITES += library-arm
SUITE_library-arm = scripts/check-lib.sh $(B)/lib-for-arm/libquire.a arm \
	$(CROSS_COMPILE)
SUITE_DEPS_library-arm := $(B)/lib-for-arm/libquire.a
endif

SUITES += embed
SUITE_embed := scripts/check-embed.sh $(MAKE)
SUITE_DEPS_embed := $(B)/lib/libquire.a

SUITES += behaviours
SUITE_behaviours := scripts/behaviours.sh
