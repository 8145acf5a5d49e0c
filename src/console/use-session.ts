import { useCallback, useEffect, useState } from 'preact/hooks'
import type { ConsoleSession } from '../protocol/console-session.ts'
import { get, type RequestFailed, signedOut, signIn, signOut } from './api.ts'
import { asFailure } from './load.tsx'
import { hasMarker } from './marker.ts'
import { sessionShape } from './shapes.ts'
import { firstCode, onCode } from './sign-in-code.ts'

export type SignedIn = {
  /** Undefined until the server has said it, null where nobody is signed in. */
  readonly session: ConsoleSession | null | undefined
  readonly failed: RequestFailed | undefined
  /** There was a session, and it ended. */
  readonly over: boolean
  readonly leave: () => void
}

type State = Omit<SignedIn, 'leave'>

const ASKING: State = { session: undefined, failed: undefined, over: false }

/** Signs in by the code of the link, or finds the session whose marker this browser keeps. */
export function useSignIn(): SignedIn {
  const [state, setState] = useState(ASKING)
  const ended = useCallback(
    (failed?: RequestFailed) =>
      setState(before => ({ session: null, failed, over: before.over || (before.session ?? null) !== null })),
    [],
  )
  useEffect(() => {
    /** The question whose answer is shown: a link that was opened since is another one. */
    let asking: Promise<ConsoleSession> | undefined
    function ask(asked: Promise<ConsoleSession>, silent401 = false): void {
      asking = asked
      setState(ASKING)
      asked.then(
        session => {
          if (asking !== asked) return
          asking = undefined
          setState({ session, failed: undefined, over: false })
        },
        error => {
          if (asking !== asked) return
          asking = undefined
          const failed = asFailure(error)
          ended(silent401 && failed.status === 401 ? undefined : failed)
        },
      )
    }
    // Whoever is signing in is told by the answer to that.
    signedOut.tell = () => asking === undefined && ended()
    if (firstCode !== undefined) ask(signIn(firstCode))
    else if (hasMarker()) ask(get('/console/session', sessionShape), true)
    else ended()
    return onCode(code => ask(instead(code, asking)))
  }, [ended])
  const leave = useCallback(() => {
    signOut().then(
      () => ended(),
      error => ended(asFailure(error)),
    )
  }, [ended])
  return { ...state, leave }
}

/**
 * Trades a code in place of the session that this tab shows: that one ends first, for its cookie is replaced and nobody
 * could end it later. One trade at a time, so that the last link opened is the one that counts.
 */
async function instead(code: string, before: Promise<unknown> | undefined): Promise<ConsoleSession> {
  await before?.catch(() => {})
  // Without an answer it still ends for this tab, and by itself within its 15 minutes.
  if (hasMarker()) await signOut().catch(() => {})
  return await signIn(code)
}
