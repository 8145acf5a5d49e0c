import type { RequestFailed } from './api.ts'
import { FailureNote } from './failure.tsx'

/** Nobody is signed in: how to get in. */
export function SignIn({ failed, over }: { failed: RequestFailed | undefined; over: boolean }) {
  return (
    <main class="sign-in" id="main">
      <h1>Remit console</h1>
      {over && !failed && (
        <p class="note wait" role="status">
          The session is over.
        </p>
      )}
      {failed && <FailureNote failed={failed} />}
      <p>On the machine where you administer Remit, run</p>
      <pre class="sign-in-command">remit console</pre>
      <p>and open the link that it prints. It works once, within a minute; the session lasts 15 minutes.</p>
    </main>
  )
}
