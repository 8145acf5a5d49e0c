import { useEffect, useState } from 'preact/hooks'
import { zoneName } from './zone.ts'

/** Milliseconds since 1970, anew every `seconds`. */
export function useNow(seconds: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), seconds * 1000)
    return () => clearInterval(timer)
  }, [seconds])
  return now
}

/** `3m 05s`, `12s`; never below zero. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  if (hours > 0) return `${hours}h ${two(minutes % 60)}m`
  return minutes > 0 ? `${minutes}m ${two(seconds % 60)}s` : `${seconds}s`
}

/** How long until `until`, counting down. */
export function Countdown({ until }: { until: string }) {
  return <span class="countdown">{duration(Date.parse(until) - useNow(1))}</span>
}

/**
 * A moment of the wire, `2026-03-01 14:05:09 UTC+1`, in the zone of whoever looks; the exact one on hover. A `short` one
 * of today goes without its day.
 */
export function Moment({ at, short = false }: { at: string; short?: boolean }) {
  const date = new Date(at)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return (
    <time dateTime={at} title={at} class="moment">
      {short && dayOf(date) === dayOf(new Date()) ? time : `${dayOf(date)} ${time}`}{' '}
      <span class="zone">{zoneName(-date.getTimezoneOffset())}</span>
    </time>
  )
}

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
