import type { Logger } from 'pino'
import { OAuthError } from '../protocol/errors.ts'
import { CLOCKS_AGREE_SECONDS } from './store/clock.ts'

/** Seconds from the database's clock at which somebody should look (R14). */
const ALARM_SECONDS = 5
const CHECK_EVERY_MS = 60_000
/** A process that was held up meanwhile measured nothing: half of this is the error of a measurement. */
const LONGEST_READING_MS = 4_000
/** What NTP slews in a second is far below. */
const JUMP_MS = 2_000

export type ClockJudgement = 'agrees' | 'apart' | 'stopped'

/** Compares the clock that every decision uses with the database's, which all nodes share (reliability.md R14). */
export type ClockCheck = {
  readonly judgement: () => ClockJudgement
  /** Throws `temporarily_unavailable` while the clocks are too far apart to mint. */
  readonly mustAgree: () => void
  /** Measures now. Rejects when the database does not answer; the judgement stands meanwhile. */
  readonly measure: () => Promise<void>
  /** To be called every second: measures each minute, after a jump of the clock at once, and always while it is off. */
  readonly tick: () => Promise<void>
}

export type Clocks = {
  readonly now: () => Date
  /** Milliseconds that only ever go on. */
  readonly monotonic: () => number
  readonly database: () => Promise<Date>
  readonly log: Logger
  /** Hears each measurement, in seconds without a sign. */
  readonly measured?: (seconds: number) => void
}

export function createClockCheck({ now, monotonic, database, log, measured = () => {} }: Clocks): ClockCheck {
  let judgement: ClockJudgement = 'agrees'
  let measuredAt = Number.NEGATIVE_INFINITY
  let measuring: Promise<void> | undefined
  let seen = { wall: now().getTime(), steady: monotonic() }

  async function measure(): Promise<void> {
    const before = { wall: now().getTime(), steady: monotonic() }
    const there = (await database()).getTime()
    const after = { wall: now().getTime(), steady: monotonic() }
    if (after.steady - before.steady > LONGEST_READING_MS) return
    const seconds = Math.abs(there - (before.wall + after.wall) / 2) / 1000
    measuredAt = after.steady
    measured(seconds)
    const next = judge(seconds)
    if (next !== judgement) report(log, next, seconds)
    judgement = next
  }

  function hasJumped(): boolean {
    const last = seen
    seen = { wall: now().getTime(), steady: monotonic() }
    return Math.abs(seen.wall - last.wall - (seen.steady - last.steady)) > JUMP_MS
  }

  return {
    judgement: () => judgement,
    mustAgree() {
      if (judgement !== 'stopped') return
      throw new OAuthError(
        'temporarily_unavailable',
        'The clock of this node is wrong; it issues nothing until it is set.',
        {
          reason: 'clock_apart',
        },
      )
    },
    measure,
    async tick() {
      // A measurement that failed after a jump is made again at the next tick.
      if (hasJumped()) measuredAt = Number.NEGATIVE_INFINITY
      const isDue = judgement !== 'agrees' || monotonic() - measuredAt >= CHECK_EVERY_MS
      if (!isDue) return
      measuring ??= measure().finally(() => {
        measuring = undefined
      })
      await measuring
    },
  }
}

function judge(seconds: number): ClockJudgement {
  if (seconds > CLOCKS_AGREE_SECONDS) return 'stopped'
  return seconds > ALARM_SECONDS ? 'apart' : 'agrees'
}

function report(log: Logger, judgement: ClockJudgement, apart: number): void {
  const seconds = Math.round(apart * 10) / 10
  if (judgement === 'agrees') log.info({ seconds }, 'the clock agrees with that of the database again')
  if (judgement === 'apart') log.warn({ seconds }, 'the clock is apart from that of the database: set both by NTP')
  if (judgement === 'stopped') log.error({ seconds }, 'the clock is too far from that of the database to issue tokens')
}
