export type LoadReport = {
  readonly sent: number
  /** How many ended so: a status, or the code of a broken connection. */
  readonly outcomes: Readonly<Record<string, number>>
}

/**
 * Sends at a steady rate until it is stopped, and less where the machine is too slow for it: at most `atOnce` are under
 * way. How many were sent says what the rate was.
 */
export function startLoad(
  send: () => Promise<{ readonly status: number }>,
  { perSecond, atOnce }: { readonly perSecond: number; readonly atOnce: number },
) {
  const outcomes: Record<string, number> = {}
  const underWay = new Set<Promise<void>>()
  let sent = 0

  async function one(): Promise<void> {
    const outcome = await send().then(
      answer => String(answer.status),
      error => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    )
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }

  let owed = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    owed = Math.min(atOnce, owed + ((now - last) / 1000) * perSecond)
    last = now
    for (; owed >= 1 && underWay.size < atOnce; owed -= 1) {
      sent += 1
      const request = one()
      underWay.add(request)
      request.finally(() => underWay.delete(request))
    }
  }, 5)
  return {
    sent: () => sent,
    async stop(): Promise<LoadReport> {
      clearInterval(timer)
      await Promise.all(underWay)
      return { sent, outcomes }
    },
  }
}
