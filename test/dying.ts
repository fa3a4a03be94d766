/** A process that dies at its n-th effect, before or after it. From then on none of its calls has an effect. */
export function dying(effect: number, when: 'before' | 'after') {
  let count = 0;
  let died = false;

  /** Rejects its promise instead of throwing, as ports do. */
  const mortal =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      if (died) return Promise.reject(new Error('dead'));
      count += 1;
      if (count !== effect) return call(...args);
      died = true;
      if (when === 'before') return Promise.reject(new Error('died before the effect'));
      return call(...args).then(() => {
        throw new Error('died after the effect');
      });
    };

  /** Every call of a port except `wrap`, which runs in the process and is no effect. */
  const mortalPort = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver);
        if (typeof member !== 'function' || name === 'wrap') return member;
        return mortal((...args: unknown[]): Promise<unknown> => member.apply(target, args));
      },
    });

  return { mortal, mortalPort, hasDied: () => died };
}
