//! The manager: one component's wrapped chains and the kernel they go to.
//!
//! Owns: a [`Model`] (what should stand), a [`Kernel`] (where), and what is known of it between two applications.
//! Never: touches chains and rules of other programs; does anything to the kernel before [`apply`](Manager::apply).
//!
//! Goals, and how they shape it:
//! 1. *Changes are values.* Methods on the model touch memory only, so a caller can make a thousand changes and decide.
//! 2. *One transaction.* All tables of both families go in one batch; the kernel takes all of it or nothing.
//! 3. *A failure costs nothing.* The model keeps what was asked for, the kernel what it had; apply can be tried again.
//! 4. *Neighbours are expected.* The batch carries the generation it was computed from; when somebody else was faster we
//!    read what is ours again and start over, a bounded number of times.
//! 5. *A restart is not an outage.* What an earlier run of the component left is found by its mark and brought to the
//!    wanted state in the same transaction; rules that are equal stay as they are.
//!
//! A manager is `Send` and has no lock: give each namespace one manager and one thread, or wrap it in a mutex.

mod builder;

pub use builder::ManagerBuilder;

use crate::apply::{Memory, Mode, Plan, Report, ipsets, native};
use crate::error::Error;
use crate::kernel::{self, Kernel, Live};
use crate::layout::Layout;
use crate::wrap::{Identity, Model, ModelError};

/// Wrapped chains, and the kernel they are applied to.
///
/// ```no_run
/// use nftwrap::Manager;
/// use nftwrap::rule::{ChainRef, PortRange, Rule};
/// use nftwrap::wrap::{Model, Profile};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = Model::builder().component("nova-compute".parse()?).profile(Profile::Nova).build()?;
/// let mut firewall = Manager::open(model)?;
/// firewall.model_mut().filter().chain("inst-7")?.replace([
///     Rule::new().tcp().dport(PortRange::single(22)).accept(),
///     Rule::new().discard(),
/// ])?;
/// let jump = Rule::new().destination("10.0.0.7".parse::<std::net::IpAddr>()?);
/// firewall.model_mut().filter().v4().chain("local")?.append(jump.jump(ChainRef::new("$inst-7")?))?;
/// let report = firewall.apply()?;
/// println!("{} messages in {:?}", report.messages, report.kernel);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Manager<K = Live> {
    model: Model,
    kernel: K,
    layout: Layout,
    memory: Remembered,
    /// The model that the memory is of.
    of: Identity,
}

/// What is known of the kernel, in one layout or the other.
#[derive(Debug)]
enum Remembered {
    Iptables(Box<Memory>),
    Native(Box<native::Memory<native::Compiled>>),
}

impl Remembered {
    fn new(model: &Model, layout: &Layout) -> Self {
        match layout {
            Layout::Iptables => Self::Iptables(Box::default()),
            Layout::Native(settings) => {
                let component = model.component();
                let source = native::Compiled::new(settings, component);
                Self::Native(Box::new(native::Memory::new(source, component.cloned(), settings.shared)))
            }
        }
    }

    fn apply<K: Kernel>(&mut self, model: &mut Model, kernel: &mut K, mode: Mode) -> Result<(Plan, Report), Error> {
        match self {
            Self::Iptables(memory) => memory.apply(model, kernel, mode),
            Self::Native(memory) => memory.apply(model, kernel, mode),
        }
    }

    /// Begins anew for another model.
    fn restart(&mut self, model: &Model, layout: &Layout) {
        match self {
            // The ipsets that stand are those of the model before.
            Self::Iptables(memory) => memory.forget(),
            Self::Native(_) => *self = Self::new(model, layout),
        }
    }

    fn forget(&mut self) {
        match self {
            Self::Iptables(memory) => memory.forget(),
            Self::Native(memory) => memory.forget(),
        }
    }
}

impl Manager<Live> {
    /// Starts a manager for a component: `Manager::builder("nova-compute").layout(Layout::native()).open()`.
    pub fn builder(component: &str) -> ManagerBuilder {
        ManagerBuilder::new(component)
    }

    /// A manager for the network namespace of the calling thread, in the tables of iptables.
    ///
    /// # Errors
    /// [`Error::Kernel`] when no netlink socket can be opened.
    pub fn open(model: Model) -> Result<Self, Error> {
        Self::open_with(model, Layout::Iptables)
    }

    /// The same, in either layout.
    ///
    /// # Errors
    /// As [`open`](Manager::open).
    pub fn open_with(model: Model, layout: Layout) -> Result<Self, Error> {
        Ok(Self::with_kernel_and_layout(model, Live::open().map_err(kernel::Error::from)?, layout))
    }
}

impl<K> Manager<K> {
    /// A manager for any kernel: a live one in another namespace, or a fake. It uses the tables of iptables.
    pub fn with_kernel(model: Model, kernel: K) -> Self {
        Self::with_kernel_and_layout(model, kernel, Layout::Iptables)
    }

    /// The same, in either layout.
    pub fn with_kernel_and_layout(model: Model, kernel: K, layout: Layout) -> Self {
        let memory = Remembered::new(&model, &layout);
        let of = model.identity().same();
        Self { model, kernel, layout, memory, of }
    }

    /// Where in the kernel the model goes.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What should stand.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What should stand, to be changed. Nothing happens before [`apply`](Manager::apply). When another model takes its
    /// place, an earlier copy of it for instance, everything is read and compared again.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Where it should stand.
    pub fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }
}

impl<K: Kernel> Manager<K> {
    /// Brings the kernel to what the model states, in one transaction. Does nothing when the model is deferred or has
    /// not changed since the last successful application.
    ///
    /// # Errors
    /// [`Error`] names the rule at fault; model and kernel are as they were, and the call can be repeated. When the kernel's
    /// answer is lost, what stands is read and brought to the model once more; [`Error::is_in_doubt`] when that fails as well.
    pub fn apply(&mut self) -> Result<Report, Error> {
        let first = match self.transact(Mode::Commit) {
            Err(error) if error.is_in_doubt() => error,
            outcome => return outcome.map(|(_, report)| report),
        };
        log::warn!("{first}; what stands is read");
        match self.transact(Mode::Commit) {
            Ok((_, report)) => Ok(report),
            // It was read that the kernel lacks something of the model, and one transaction has all of it or nothing.
            Err(error @ Error::Refused(_)) if matches!(first, Error::Commit(_)) => Err(error),
            Err(_) => Err(first),
        }
    }

    /// What [`apply`](Manager::apply) would change now.
    ///
    /// # Errors
    /// As [`apply`](Manager::apply), except that the kernel is not asked to take anything.
    pub fn plan(&mut self) -> Result<Plan, Error> {
        self.transact(Mode::Plan).map(|(plan, _)| plan)
    }

    /// Lets the kernel validate what [`apply`](Manager::apply) would send, then drops it.
    ///
    /// # Errors
    /// As [`apply`](Manager::apply).
    pub fn check(&mut self) -> Result<(Plan, Report), Error> {
        self.transact(Mode::Check)
    }

    fn transact(&mut self, mode: Mode) -> Result<(Plan, Report), Error> {
        if self.of != *self.model.identity() {
            self.of = self.model.identity().same();
            self.memory.restart(&self.model, &self.layout);
        }
        self.memory.apply(&mut self.model, &mut self.kernel, mode)
    }

    /// Removes from the kernel all that this component has there, in one transaction: its chains, its rules in shared
    /// chains, and shared chains that nobody uses any more; in the native layout its tables, and what it has left in those
    /// of iptables. Other components and programs are not touched. The model stays as it is; the next
    /// [`apply`](Manager::apply) brings it back.
    ///
    /// # Errors
    /// As [`apply`](Manager::apply); [`ModelError::NoComponent`](crate::wrap::ModelError::NoComponent) when the model
    /// states whole tables of iptables, or those of a group that others use.
    pub fn flush(&mut self) -> Result<Report, Error> {
        self.memory.forget();
        let alone = matches!(&self.layout, Layout::Native(settings) if !settings.shared);
        let mut empty = match self.model.component() {
            Some(component) => {
                let empty = Model::builder().component(component.clone()).build();
                empty.map_err(|error| Error::Model(vec![error]))?
            }
            None if alone => Model::whole(),
            None => return Err(Error::Model(vec![ModelError::NoComponent { name: String::new() }])),
        };
        let mut memory = Remembered::new(&empty, &self.layout);
        let (_, mut report) = memory.apply(&mut empty, &mut self.kernel, Mode::Remove)?;
        if matches!(self.layout, Layout::Iptables) {
            ipsets::remove(&mut self.kernel, &self.model, &mut report);
        }
        Ok(report)
    }

    /// Forgets what is known of the kernel: the next application reads it anew and repairs what others have changed in
    /// our chains, also when the model has not changed.
    pub fn refresh(&mut self) {
        self.memory.forget();
    }

    /// Gives back model and kernel.
    pub fn into_parts(self) -> (Model, K) {
        (self.model, self.kernel)
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Manager<Live>>();
};
