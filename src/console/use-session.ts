import { useCallback, useEffect, useState } from 'preact/hooks'
import type { ConsoleSession } from '../protocol/console-session.ts'
import { get, type RequestFailed, signedOut, signIn, signOut } from './api.ts'
import { asFailure } from './load.tsx'
import { hasMarker } from './marker.ts'
import { sessionShape } from './shapes.ts'

export type SignedIn = {
  /** Undefined until the server has said it, null where nobody is signed in. */
  readonly session: ConsoleSession | null | undefined
  readonly failed: RequestFailed | undefined
  /** There was a session, and it ended. */
  readonly over: boolean
  readonly leave: () => void
}

/** The code of a sign-in link, taken out of the address before anything else reads or keeps it. */
function takeCode(): string | undefined {
  const code = /^#code=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1]
  if (location.hash.startsWith('#code=')) history.replaceState(null, '', `${location.pathname}#/agents`)
  return code
}

const code = takeCode()

/** Signs in by the code of the link, or finds the session whose marker this browser keeps. */
export function useSignIn(): SignedIn {
  const [state, setState] = useState<Omit<SignedIn, 'leave'>>({ session: undefined, failed: undefined, over: false })
  const ended = useCallback(
    (failed?: RequestFailed) =>
      setState(before => ({ session: null, failed, over: before.over || (before.session ?? null) !== null })),
    [],
  )
  useEffect(() => {
    signedOut.tell = () => ended()
    if (code === undefined && !hasMarker()) return ended()
    const asked = code === undefined ? get('/console/session', sessionShape) : signIn(code)
    asked.then(
      session => setState({ session, failed: undefined, over: false }),
      error => {
        const failed = asFailure(error)
        ended(code === undefined && failed.status === 401 ? undefined : failed)
      },
    )
  }, [ended])
  const leave = useCallback(() => {
    signOut().then(
      () => ended(),
      error => ended(asFailure(error)),
    )
  }, [ended])
  return { ...state, leave }
}
