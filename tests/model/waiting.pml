/* Links, and how their two ends wait for one another: what link.pml and row.pml share. REQUIRES: ROOM, BREAK. */

/* One end of a link as a waiter, and what the other end, its waker, makes of it. The code counts sleeps (odd: asleep)
 * and its waker remembers a number; here is all that a comparison of the two can tell. */
typedef Waiter {
  bool asleep;      /* its counter is odd */
  bool in_kernel;
  bool looked_at;   /* the number that the waker has loaded is the present one */
  bool ended        /* the number that the waker remembers as ended is the present one */
};

typedef Link {
  byte written;     /* write_position, in records: the commit word */
  byte read;        /* read_position */
  byte slot[ROOM];  /* the ring */
  Waiter reader;
  Waiter writer
};

inline new_number(waiter) {
  waiter.looked_at = false;
  waiter.ended = false
}

inline sleep(waiter, word, seen) {
  atomic {
#if BREAK == 6
    if :: waiter.asleep :: else -> new_number(waiter) fi;
#else
    new_number(waiter);
#endif
    waiter.asleep = true
  };
  if
  :: word != seen
  :: else ->
#if BREAK == 3
     waiter.in_kernel = true;
#else
     atomic { if :: word == seen -> waiter.in_kernel = true :: else fi };
#endif
     !waiter.in_kernel
  fi;
  atomic { new_number(waiter); waiter.asleep = false }
}

inline wake(waiter) {
  if
  :: atomic { waiter.asleep && !waiter.ended -> waiter.looked_at = true };
     atomic {   /* futex_wake, which says whether it woke somebody */
#if BREAK == 7
       if :: waiter.looked_at -> waiter.ended = true :: else fi;
#else
       if :: waiter.in_kernel && waiter.looked_at -> waiter.ended = true :: else fi;
#endif
       waiter.in_kernel = false
     }
  :: else
  fi
}
